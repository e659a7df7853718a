// Inserts records from several threads, prints each id once its insert was acknowledged, and never ends by itself:
// the crash test kills it. `records-crash-writer FOLDER ROUND`.
import Application
import Domain
import Kernel
import SQLiteStore

let arguments = CommandLine.arguments
guard arguments.count == 3 else { fatalError("usage: records-crash-writer FOLDER ROUND") }
let stores = SQLiteRecordStores(folder: arguments[1])
let store = try stores.openStore(
  automation: "crash",
  collections: [
    CollectionDeclaration(
      name: "accounts",
      fields: [
        FieldDeclaration(name: "name", type: .string, required: true),
        FieldDeclaration(name: "email", type: .string, unique: true),
      ])
  ])
let round = arguments[2]
let output = Monitor(())
let threads = (0..<8).map { thread in
  OSThread("crash-writer") {
    for index in 0..<1_000_000 {
      let id = "\(round)-\(thread)-\(index)"
      let document = "{\"name\":\"n\",\"email\":\"\(id)@x\"}"
      do {
        _ = try store.call(
          .insert, collection: 0, key: id.utf8.span, input: document.utf8.span, expectedVersion: 0)
      } catch {
        fatalError("an insert failed: \(error)")
      }
      // One line at a time, straight to the pipe: what is printed is what was acknowledged.
      output.withLock { _ in writeLine(id) }
    }
  }
}
for thread in threads { thread.join() }
