import Application
import Kernel

extension Gateway {
  /// Writes an answer as Markdown, and no more of it than tells that it is over the budget; returns the sizes of a list's
  /// rows.
  func write(
    _ answer: JSONAnswer, of body: Arena, as arena: Arena, cut: AnswerCut?, _ budget: AnswerBudget
  ) -> [AnswerBudget.Size]? {
    let limit = budget.mostBytes
    arena.removeAll()
    let text = body.span(body.all)
    guard let items = answer.items else {
      if JSONText.first(answer.root, text) == UInt8(ascii: "[") {
        _ = MarkdownText.writeTable(
          JSONText.elements(of: answer.root, in: text), of: text, to: arena, upTo: limit)
      } else {
        MarkdownText.writeObject(answer.root, of: text, to: arena, upTo: limit)
      }
      return nil
    }
    let rows = MarkdownText.writeTable(items, of: text, to: arena, upTo: limit)
    if let next = answer.next {
      arena.append("\nMore records: send the request again with `after=")
      arena.append(JSONText.string(next, in: text))
      arena.append("`.")
      if let cut {
        arena.append(" This page was shortened to fit ")
        arena.append(cut.source.rawValue)
        arena.append(".")
      }
      arena.append("\n")
    }
    return rows
  }

  /// Writes the problem in an exchange as Markdown. [event]
  func writeProblemAsMarkdown(_ exchange: Exchange) {
    let (thread, body) = (threads.current, exchange.answerBody)
    guard body.count > 0, hasJSONType(exchange) else { return }
    do throws(JSONError) { try thread.json.parse(body.span(body.all)) } catch { return }
    let text = body.span(body.all)
    thread.shaped.removeAll()
    MarkdownText.writeProblem(
      JSONText.root(of: text), of: text, status: exchange.status, to: thread.shaped)
    exchange.setBody(thread.shaped)
    exchange.becomeMarkdown()
  }
}
