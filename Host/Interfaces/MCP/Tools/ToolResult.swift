import Application
import Kernel

/// Turns a route's answer into the result of a tool's call (`CallToolResult`).
///
/// JSON stands there as text and as structured content, which in the era before is an object. An error of the route is a
/// result too, with `isError`: it is the model that has to act on it, and it sees results only.
enum ToolResult {
  /// `isPromised`: the tool has an outputSchema.
  static func write(
    _ exchange: Exchange, _ call: ToolCall, _ answer: RPCAnswer, _ json: JSONDocument,
    isPromised: @autoclosure () -> Bool, to out: Arena
  ) {
    answer.begin(call.id, call.era, to: out)
    out.append("\"content\":[")
    let (head, body) = (exchange.answerHead, exchange.answerBody)
    let type = contentType(of: exchange)
    if exchange.status >= 400 {
      writeError(exchange, type, json, to: out)
    } else if body.count == 0 {
      // Without structured content a client takes the result of such a tool for an error of its own, unless it is one.
      let isBroken = isPromised()
      let rest =
        isBroken ? " The tool declares more: read what it changed, and do not call it again for that." : ""
      writeText(
        "Done. The answer is empty (status \(exchange.status)).\(location(of: exchange))\(rest)", to: out)
      out.append(isBroken ? "],\"isError\":true" : "]")
    } else if MediaType.isJSON(head.span(type)) {
      writeJSON(exchange, call.era, json, to: out)
    } else {
      writeOther(exchange, type, to: out)
    }
    out.append("}}")
  }

  private static func writeJSON(_ exchange: Exchange, _ era: Era, _ json: JSONDocument, to out: Arena) {
    let body = exchange.answerBody
    let text = body.span(body.all)
    // What is no JSON must not become part of JSON. A schema may have held the answer against it, or not.
    do throws(JSONError) { try json.parse(text) } catch {
      writeText("The automation's answer is not valid JSON: \(error.explanation)", to: out)
      out.append("],\"isError\":true")
      return
    }
    appendText(text, to: out)
    out.append("]")
    if era == .modern || json.root.kind == .object {
      out.append(",\"structuredContent\":")
      out.append(text)
    }
  }

  /// Text, an image or a sound as themselves; anything else as a resource in place.
  private static func writeOther(_ exchange: Exchange, _ type: ByteRange, to out: Arena) {
    let (head, body, request) = (exchange.answerHead, exchange.answerBody, exchange.head)
    let bytes = body.span(body.all)
    let isBinary = !(type.isEmpty || head.span(type).hasPrefix(ignoringCase: "text/"))
    if !isBinary, isText(bytes) {
      appendText(bytes, to: out)
      out.append("]")
      return
    }
    let kind: StaticString? =
      head.span(type).hasPrefix(ignoringCase: "image/")
      ? "image" : head.span(type).hasPrefix(ignoringCase: "audio/") ? "audio" : nil
    if let kind {
      out.append("{\"type\":\"")
      out.append(kind)
      out.append("\",\"data\":\"")
      Base64.append(bytes, to: out)
      out.append("\",\"mimeType\":")
      out.append(jsonString: head.span(type))
      out.append("}]")
      return
    }
    out.append("{\"type\":\"resource\",\"resource\":{\"uri\":\"council://answers/")
    out.append(request.span(exchange.requestID))
    out.append("\",\"mimeType\":")
    if type.isEmpty {
      out.append("\"application/octet-stream\"")
    } else {
      out.append(jsonString: head.span(type))
    }
    out.append(",\"blob\":\"")
    Base64.append(bytes, to: out)
    out.append("\"}}]")
  }

  private static func writeError(_ exchange: Exchange, _ type: ByteRange, _ json: JSONDocument, to out: Arena)
  {
    let (head, answer) = (exchange.answerHead, exchange.answerBody)
    let body = answer.span(answer.all)
    var text: String?
    if MediaType.isJSON(head.span(type)), (try? json.parse(body)) != nil {
      text = ProblemText.text(JSONValue(json.root), status: exchange.status)
    }
    if let text {
      writeText(text, to: out)
    } else if body.count > 0, isText(body) {
      writeText("Status \(exchange.status): \(String(body))", to: out)
    } else {
      writeText("Status \(exchange.status): \(Problem.title(of: exchange.status)).", to: out)
    }
    out.append("],\"isError\":true")
  }

  // MARK: Parts

  static func writeText(_ text: String, to out: Arena) { appendText(text.utf8.span, to: out) }

  private static func appendText(_ text: Span<UInt8>, to out: Arena) {
    out.append("{\"type\":\"text\",\"text\":")
    out.append(jsonString: text)
    out.append("}")
  }

  private static func contentType(of exchange: Exchange) -> ByteRange { header("content-type", of: exchange) }

  private static func location(of exchange: Exchange) -> String {
    let head = exchange.answerHead
    let place = header("location", of: exchange)
    return place.isEmpty ? "" : " Location: \(String(head.span(place)))"
  }

  /// `name` is in lower case.
  private static func header(_ name: StaticString, of exchange: Exchange) -> ByteRange {
    let head = exchange.answerHead
    for field in exchange.answerHeaders
    where Int(field.name.count) == name.utf8CodeUnitCount
      && head.span(field.name).hasPrefix(ignoringCase: name)
    {
      return field.value
    }
    return .empty
  }

  private static func isText(_ bytes: Span<UInt8>) -> Bool { (try? UTF8Span(validating: bytes)) != nil }

}
