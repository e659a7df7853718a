import FoundationEssentials

/// Memory of this process that is in use now.
func residentBytes() -> Int {
  guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return 0 }
  let fields = String(decoding: data, as: UTF8.self).split(separator: " ")
  return (Int(fields[1]) ?? 0) * 4096
}
