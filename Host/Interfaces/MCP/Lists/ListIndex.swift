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
    /// The last one's name, where more follow.
    var next: String?
    /// It begins where a page before it ends. A name that somebody made up leads to pages that are nobody else's.
    var isRegular = true
  }

  func page(after name: String?, limit: Int, _ isVisible: (Item) -> Bool) -> Page {
    var page = Page()
    let start = name.map(place(after:)) ?? 0
    if let name {
      let before = items[..<start].count { isVisible($0.item) }
      page.isRegular = start > 0 && items[start - 1].name == name && before % limit == 0
    }
    var last: String?
    for (name, item) in items[start...] where isVisible(item) {
      if page.items.count == limit {
        page.next = last
        break
      }
      page.items.append(item)
      last = name
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
  /// The result's members, without braces. `age` is how long the page may be taken for fresh, in milliseconds; nil for
  /// the era that does not say.
  func members(_ member: String, age: Int?, _ json: (Item) -> JSONValue) -> ListPages.Page {
    let out = Arena(capacity: 16 * 1024)
    out.append("\"\(member)\":[")
    for (index, item) in items.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      out.append(json: json(item))
    }
    out.append("]")
    if let next {
      out.append(",\"nextCursor\":\"")
      out.append(ListCursor.text(after: next))
      out.append("\"")
    }
    // What is in it depends on the key.
    if let age { out.append(",\"ttlMs\":\(age),\"cacheScope\":\"private\"") }
    return ListPages.Page(bytes: Array(out.span(out.all)), isKept: isRegular)
  }
}
