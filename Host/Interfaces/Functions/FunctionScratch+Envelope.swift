import Application
import Kernel

// From the answer of a route to the envelope of a call.

extension FunctionScratch {
  /// `{"ok":true,"status":200,"result":…}` or `{"ok":false,"status":422,"problem":{…}}`, under the answer's own HTTP
  /// status where that takes a body, else 200.
  func envelop(_ exchange: Exchange) {
    clear()
    let (status, answer, text) = (exchange.status, exchange.answerBody, text)
    let isOK = status < 400
    text.append("{\"ok\":\(isOK),\"status\":\(status),\"\(isOK ? "result" : "problem")\":")
    if isOK {
      writeResult(exchange)
    } else {
      writeProblem(exchange)
    }
    text.append("}")
    answer.removeAll()
    answer.append(text.span(text.all))
    envelopHead(exchange)
  }

  /// Status and headers of an answer whose body is an envelope.
  func envelopHead(_ exchange: Exchange) {
    forgetContentHeaders(exchange)
    exchange.addHeader("Content-Type", "application/json")
    let status = exchange.status
    // A redirection would have the caller send the call elsewhere; the others have no body.
    if status == 204 || status == 205 || (300..<400).contains(status) { exchange.status = 200 }
  }

  /// What stands around a result or problem.
  static let envelope = AnswerEnvelope(frame: 200, repeatsJSON: false)

  /// JSON as it came; text as a string; of anything else only what it is.
  private func writeResult(_ exchange: Exchange) {
    let answer = exchange.answerBody
    if answer.count == 0 {
      text.append("null")
    } else if isJSON(answer) {
      text.append(answer.span(answer.all))
    } else if let words = FunctionScratch.words(answer) {
      text.append(jsonString: words.utf8.span)
    } else {
      let type = contentType(exchange)
      text.append("null,\"content_type\":")
      text.append(jsonString: type.utf8.span)
      text.append(",\"bytes\":\(answer.count)")
    }
  }

  private func writeProblem(_ exchange: Exchange) {
    let (answer, call, text) = (exchange.answerBody, call, text)
    if answer.count > 0, isJSON(answer), call.root.kind == .object {
      text.append(answer.span(answer.all))
      return
    }
    // A handler's error in a form of its own.
    let said = FunctionScratch.words(answer) ?? ""
    text.append(
      problem: Problem(
        exchange.status, "call.failed",
        said.isEmpty ? "The function answered with status \(exchange.status) and said no more." : said))
  }

  /// Whether the answer is one JSON document; `call` holds it then. What the route declared is checked already: this is
  /// for what declared nothing.
  private func isJSON(_ answer: Arena) -> Bool {
    do throws(JSONError) { try call.parse(answer.span(answer.all)) } catch { return false }
    return true
  }

  func contentType(_ exchange: Exchange) -> String {
    let head = exchange.answerHead
    let field = exchange.answerHeaders.first { head.span($0.name).hasPrefix(ignoringCase: "content-type") }
    return field.map { String(head.span($0.value)) } ?? "application/octet-stream"
  }

  /// The answer as text; nil where it is none.
  private static func words(_ answer: Arena) -> String? {
    String(validating: Array(answer.span(answer.all)), as: UTF8.self)
  }

  /// What described the answer inside does not describe the envelope. An entity tag stays: it is what a caller sends as
  /// `If-Match` with the next call.
  private func forgetContentHeaders(_ exchange: Exchange) {
    let head = exchange.answerHead
    exchange.answerHeaders.removeAll { head.span($0.name).hasPrefix(ignoringCase: "content-") }
  }
}
