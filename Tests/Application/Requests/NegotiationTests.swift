import Application
import Kernel
import Testing

/// Accept, Prefer, and the query of a link.
@Suite struct NegotiationTests {
  private func exchange(_ name: StaticString, _ known: KnownHeader, _ values: [String]) -> Exchange {
    let exchange = Exchange(slot: 0)
    for value in values {
      let range = exchange.head.append(value)
      exchange.headers.append(Field(name: exchange.head.append(name), value: range))
      if exchange.knownCount[known.rawValue] == 0 { exchange.known[known.rawValue] = range }
      exchange.knownCount[known.rawValue] += 1
    }
    return exchange
  }

  @Test(arguments: [
    "text/markdown", "TEXT/Markdown; charset=utf-8", "text/markdown, */*;q=0.8", "text/*",
    "application/json;q=0.5, text/markdown;q=0.6", "text/markdown;q=0.001",
    "*/*;q=0.1,application/json;q=0,text/*;q=0.2",
  ]) func markdownIsGivenWhereItIsPreferred(accept: String) {
    #expect(AcceptedTypes.prefersMarkdown(exchange("accept", .accept, [accept])))
  }

  @Test(arguments: [
    "", "*/*", "application/json", "text/markdown, application/json", "text/markdown;q=0",
    "text/html, */*;q=0.8",
    "text/markdown;q=0.5, application/*", "text/plain", "text/markdown;q=x", "text/markdown;q=2", ";;,,;q=",
    "text/markdownx",
    "application/json, text/event-stream",
  ]) func jsonIsGivenEverywhereElse(accept: String) {
    #expect(!AcceptedTypes.prefersMarkdown(exchange("accept", .accept, [accept])))
  }

  @Test func severalFieldsAreOneList() {
    #expect(
      AcceptedTypes.prefersMarkdown(exchange("accept", .accept, ["application/json;q=0.1", "text/markdown"])))
  }

  @Test(arguments: [
    ("max-chars=5", "5"), ("respond-async, Max-Chars = \"5\" ; x=y", "5"), ("max-chars", ""), ("wait=3", nil),
    (#"x="a, max-chars=9", max-chars=5"#, "5"), (#"x="\", max-chars=9""#, nil),
    (#"max-chars="a;b, c";d"#, "a;b, c"), ("max-chars=1, max-chars=2", "1"), ("max-charsx=1", nil), ("", nil),
  ]) func preferencesAreFoundByName(header: String, value: String?) {
    #expect(Preferences.value("max-chars", of: exchange("prefer", .prefer, ["a=1", header])) == value)
  }

  @Test(arguments: [
    ("", "after=c%2F%3D"), ("a=1", "a=1&after=c%2F%3D"), ("after=x&a=%20&a=2&&", "a=%20&a=2&after=c%2F%3D"),
    ("aft%65r=x&afters=1&afte=2&after", "afters=1&afte=2&after=c%2F%3D"),
    ("q=<\">{}", "q=%3C%22%3E%7B%7D&after=c%2F%3D"),
  ]) func aQueryKeepsItsOtherParameters(query: String, made: String) {
    let (head, out) = (Arena(), Arena())
    head.append("xx")
    RawQuery.write(head.append(query), of: head, setting: "after", to: "c/=".utf8.span, in: out)
    #expect(String(out.span(out.all)) == made)
  }
}
