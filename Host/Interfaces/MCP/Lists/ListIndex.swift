import Kernel

/// Everything that a list may show, by name: sorted once for a state of the routes.
struct ListIndex<Item: Sendable>: Sendable {
  private let items: [(name: String, item: Item)]

  init(_ items: [(name: String, item: Item)]) {
    self.items = items.sorted { ListIndex.precedes($0.name, $1.name) }
  }

  /// One page: the items after a name that the caller may see.
  struct Page {
    var items: [Item] = []
    /// Of each.
    var names: [String] = []
    /// The last one's name, where more follow.
    var next: String?
  }

  func page(after name: String?, limit: Int, _ isVisible: (Item) -> Bool) -> Page {
    var page = Page()
    let start = name.map(place(after:)) ?? 0
    for (name, item) in items[start...] where isVisible(item) {
      if page.items.count == limit {
        page.next = page.names.last
        break
      }
      page.items.append(item)
      page.names.append(name)
    }
    return page
  }

  /// How many names are this one or come before it.
  private func place(after name: String) -> Int {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if ListIndex.precedes(name, items[middle].name) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// By bytes: a String's own order depends on tables of Unicode.
  private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

extension ListIndex.Page {
  /// The result's members, without braces: as many items as `most` bytes hold, and one at least. `age` is how long the page may be taken for fresh, in milliseconds; nil for
  /// the era that does not say.
  func members(
    _ member: String, age: Int?, most: Int = ListPages.mostBytes, _ json: (Item) -> JSONValue
  ) -> ListPages.Page {
    var next = next
    let out = Arena(capacity: 16 * 1024)
    out.append("\"\(member)\":[")
    for (index, item) in items.enumerated() {
      let end = out.count
      if index > 0 { out.append(UInt8(ascii: ",")) }
      out.append(json: json(item))
      if index > 0, out.count > most {
        out.truncate(to: end)
        next = names[index - 1]
        break
      }
    }
    out.append("]")
    if let next {
      out.append(",\"nextCursor\":\"")
      out.append(ListCursor.text(after: next))
      out.append("\"")
    }
    // What is in it depends on the key.
    if let age { out.append(",\"ttlMs\":\(age),\"cacheScope\":\"private\"") }
    return ListPages.Page(bytes: Array(out.span(out.all)), next: next)
  }
}
