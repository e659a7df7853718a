package import Kernel

/// The schema of a function's arguments in the subset of JSON Schema that OpenAI's strict mode enforces
/// (developers.openai.com, "Structured Outputs", supported schemas), made from one in the full language.
///
/// Every object is closed, every property is required, and a property that was optional takes null instead:
/// ``StrictArguments`` turns that null into "absent" again. What strict mode does not enforce but a description can say
/// (lengths, defaults, examples, formats and patterns out of its reach) goes into the description; the route's own
/// schema still decides. What cannot be said there makes the whole schema an obstacle, never something else than it was.
package struct StrictSchema: Sendable, Equatable {
  /// Why a schema is not strict: where in it (JSON Pointer), and what to do about it.
  package struct Obstacle: Sendable, Equatable {
    package enum Kind: Sendable {
      /// Objects and lists too deep inside each other.
      case depth
      /// Another limit of strict mode.
      case size
      /// What strict mode has no words for.
      case meaning
    }

    package var kind: Kind
    package var pointer: String
    package var reason: String

    package var json: JSONValue { ["pointer": .string(pointer), "reason": .string(reason)] }
  }

  package struct Limits: Sendable {
    /// Objects and arrays inside each other, the root counted. The documents name 10 now; 5 is what every model takes.
    package var depth = 5
    package var properties = 5000
    package var enumValues = 1000
    /// An enum of more values than this…
    package var largeEnum = 250
    /// …has at most so many characters.
    package var largeEnumCharacters = 15_000
    /// Of the whole schema as JSON. The documents count names and values only: this is on the safe side.
    package var characters = 120_000
    /// Parts of a schema that are looked at, references followed: what bounds the work.
    var nodes = 20_000
    /// References that lead to one part.
    var references = 32
    var obstacles = 20

    package init() {}
  }

  /// nil when it cannot be made strict.
  package let schema: JSONValue?
  /// Empty when it is strict; at most 20.
  package let obstacles: [Obstacle]

  package init(_ original: JSONValue, limits: Limits = Limits()) {
    var converter = StrictConverter(original, limits)
    let converted = converter.root()
    obstacles = converter.obstacles
    schema = obstacles.isEmpty ? converted : nil
  }

  /// Names that strict mode takes for a function.
  package static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
