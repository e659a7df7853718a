import Application
import Kernel

/// A schema as flat tables that refer to each other by index; -1 stands for none.
///
/// A validation walks the document once, asks no dictionary, and counts no references to shared memory.
final class Program: CompiledSchema {
  struct Node: BitwiseCopyable, Sendable {
    var kinds: KindSet.RawValue = KindSet.all.rawValue
    var resource: Int32 = 0
    var choices: Int32 = -1
    var moreChoices: Int32 = -1
    var numbers: Int32 = -1
    var strings: Int32 = -1
    var arrays: Int32 = -1
    var objects: Int32 = -1
    var steps = IndexRange()
    var unevaluatedItems: Int32 = -1
    var unevaluatedProperties: Int32 = -1
  }

  struct IndexRange: BitwiseCopyable, Sendable {
    var start: Int32 = 0
    var count: Int32 = 0
    var indices: Range<Int> { Int(start)..<Int(start + count) }
  }

  /// A keyword that applies schemas to the same value.
  enum Step: BitwiseCopyable, Sendable {
    case reference(Int32)
    case dynamicReference(Int32, candidates: IndexRange)
    case allOf(IndexRange)
    case anyOf(IndexRange)
    case oneOf(IndexRange)
    case not(Int32)
    case conditional(Int32, then: Int32, otherwise: Int32)
  }

  struct StringRules: BitwiseCopyable, Sendable {
    var minLength: Int
    var maxLength: Int
    var pattern: Int32
    var format: Format?
  }

  struct ArrayRules: BitwiseCopyable, Sendable {
    var minItems: Int
    var maxItems: Int
    var minContains: Int
    var maxContains: Int
    var prefix: IndexRange
    var items: Int32
    var contains: Int32
    var isUnique: Bool
  }

  struct ObjectRules: BitwiseCopyable, Sendable {
    var minProperties: Int
    var maxProperties: Int
    var names: NameTable
    /// How many names have a presence bit.
    var presences: Int32
    /// Presence bits of the required names among the first 64.
    var required: UInt64
    /// The entries of all required names.
    var requiredEntries: IndexRange
    var triggers: IndexRange
    var patterns: IndexRange
    var additional: Int32
    var propertyNames: Int32
  }

  struct NamedPattern: BitwiseCopyable, Sendable {
    var pattern: Int32
    var node: Int32
  }

  /// What one present property asks for: another property, or a schema for the whole object.
  struct Trigger: BitwiseCopyable, Sendable {
    var entry: Int32
    var requiredEntry: Int32
    var node: Int32
  }

  struct DynamicCandidate: BitwiseCopyable, Sendable {
    var resource: Int32
    var node: Int32
  }

  struct Tables: Sendable {
    var nodes: FixedTable<Node>
    var steps: FixedTable<Step>
    var children: FixedTable<Int32>
    var candidates: FixedTable<DynamicCandidate>
    var numbers: FixedTable<NumberRules>
    var strings: FixedTable<StringRules>
    var arrays: FixedTable<ArrayRules>
    var objects: FixedTable<ObjectRules>
    var namedPatterns: FixedTable<NamedPattern>
    var triggers: FixedTable<Trigger>
    var patterns: FixedTable<Pattern>
    var choices: FixedTable<Choices>
    var constants: FixedTable<Constant>
    var entries: FixedTable<NameEntry>
    var slots: FixedTable<UInt64>
    var bytes: FixedTable<UInt8>
  }

  static let anything = Int32(SchemaGraph.anything)
  static let nothing = Int32(SchemaGraph.nothing)

  let tables: Tables
  let root: Int32
  /// Whether the chain of resources must be kept while evaluating.
  let isDynamic: Bool
  let patternTexts: [String]
  /// What a value may be, in words, for each ``Choices``.
  let choiceTexts: [String]
  let limits: SchemaLimits
  let scratches: ThreadSlots<Scratch>
  // Owns what `tables` points to.
  private let memory: TableMemory
  private let patterns: PatternTable
  private let parameters: ParameterTypes

  init(
    tables: Tables, memory: TableMemory, root: Int32, isDynamic: Bool, patterns: PatternTable,
    patternTexts: [String], choiceTexts: [String], parameters: ParameterTypes, limits: SchemaLimits,
    scratches: ThreadSlots<Scratch>
  ) {
    self.tables = tables
    self.memory = memory
    self.root = root
    self.isDynamic = isDynamic
    self.patterns = patterns
    self.patternTexts = patternTexts
    self.choiceTexts = choiceTexts
    self.parameters = parameters
    self.limits = limits
    self.scratches = scratches
  }

  func parameterType(_ name: String) -> ParameterType { parameters.type(of: name) }
}
