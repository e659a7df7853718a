import Kernel

/// One page of a list, in the order of its items' names: the same for whoever may see the same.
enum ListPage {
  /// The result's members, without braces. `age` is how long the page may be taken for fresh, in milliseconds; nil for
  /// the era that does not say.
  static func write<Item>(
    _ member: String, _ items: [(name: String, item: Item)], after name: String?, limit: Int, age: Int?,
    _ json: (Item) -> JSONValue
  ) -> [UInt8] {
    var rest = items.filter { entry in name.map { precedes($0, entry.name) } ?? true }
    rest.sort { precedes($0.name, $1.name) }
    let out = Arena(capacity: 16 * 1024)
    out.append("\"\(member)\":[")
    for (index, entry) in rest.prefix(limit).enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      out.append(json: json(entry.item))
    }
    out.append("]")
    if rest.count > limit {
      out.append(",\"nextCursor\":\"")
      out.append(ListCursor.text(after: rest[limit - 1].name))
      out.append("\"")
    }
    // What is in it depends on the key.
    if let age { out.append(",\"ttlMs\":\(age),\"cacheScope\":\"private\"") }
    return Array(out.span(out.all))
  }

  /// By bytes: a String's own order depends on tables of Unicode.
  private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}
