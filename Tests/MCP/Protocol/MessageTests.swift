import Kernel
import Testing

@testable import MCP

@Suite struct MessageTests {
  private func read(_ text: String) -> (kind: Message.Kind?, fault: RPCFault?) {
    let json = JSONDocument()
    do throws(JSONError) { try json.parse(text.utf8.span) } catch { return (nil, .unreadable("")) }
    do throws(RPCFault) { return (try Message.read(json.root).kind, nil) } catch { return (nil, error) }
  }

  @Test(arguments: [
    (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Message.Kind.request),
    (#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}"#, .request),
    (#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#, .request),
    (#"{"method":"ping","jsonrpc":"2.0"}"#, .notification),
    (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, .response),
    (#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#, .response),
  ])
  func tellsWhatAMessageIs(text: String, kind: Message.Kind) {
    #expect(read(text).kind == kind)
  }

  @Test(arguments: [
    "[]", #"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "1", "null", "\"ping\"", "{}",
    #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, #"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
    #"{"id":1,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":1}"#, #"{"jsonrpc":"2.0","id":1,"method":1}"#,
    #"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
    #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, #"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
    #"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
    #"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
    #"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
    #"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
    #"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#,
  ])
  func refusesWhatIsNoMessage(text: String) {
    let fault = read(text).fault
    #expect(fault?.code == -32600 && fault?.status == 400)
  }

  @Test func anIDHasALimit() {
    let long = String(repeating: "i", count: Message.maxIDBytes)
    #expect(read(#"{"jsonrpc":"2.0","id":"\#(long)","method":"ping"}"#).kind == .request)
    #expect(read(#"{"jsonrpc":"2.0","id":"\#(long)i","method":"ping"}"#).fault?.code == -32600)
  }

  @Test func methodsBelongToTheirEra() {
    let json = JSONDocument()
    func method(_ name: String) -> MCP.Method? {
      guard (try? json.parse("\"\(name)\"".utf8.span)) != nil else { return nil }
      return MCP.Method(json.root)
    }
    for (name, modern, previous) in [
      ("tools/call", true, true), ("tools/list", true, true), ("resources/read", true, true),
      ("server/discover", true, false), ("subscriptions/listen", true, false), ("initialize", false, true),
      ("ping", false, true),
    ] {
      #expect(method(name)?.exists(in: .modern) == modern)
      #expect(method(name)?.exists(in: .previous) == previous)
    }
    for name in ["prompts/list", "tools/calls", "", "Tools/call", "logging/setLevel"] {
      #expect(method(name) == nil)
    }
  }
}
