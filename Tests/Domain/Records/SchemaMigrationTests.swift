import Domain
import Kernel
import Testing

@Suite struct SchemaMigrationTests {
  private let name = FieldDeclaration(name: "name", type: .string, required: true)

  private func declare(_ fields: [FieldDeclaration], indexes: [[String]] = []) -> CollectionDeclaration {
    CollectionDeclaration(name: "c", fields: fields, indexes: indexes)
  }

  /// What a store knows after these declarations were applied in turn.
  private func store(_ sets: [[CollectionDeclaration]]) throws -> StoredSchema {
    var stored = StoredSchema()
    for set in sets {
      let migration = SchemaMigration(from: stored, to: try RecordSchema.all(set))
      #expect(migration.refusals.isEmpty)
      for step in migration.steps { apply(step, to: &stored) }
      stored.current = set
      if !stored.history.contains(set) { stored.history.append(set) }
    }
    return stored
  }

  private func apply(_ step: SchemaMigration.Step, to stored: inout StoredSchema) {
    func field(_ field: FieldDeclaration) -> StoredSchema.Field {
      StoredSchema.Field(
        type: field.type, hasDefault: field.defaultValue != nil, encryption: field.encryption)
    }
    switch step {
    case .createCollection(let declaration):
      stored.collections[declaration.name] = StoredSchema.Collection(
        fields: Dictionary(uniqueKeysWithValues: declaration.fields.map { ($0.name, field($0)) }), indexes: []
      )
    case .addField(let collection, let added):
      stored.collections[collection]?.fields[added.name] = field(added)
    case .fill: break
    case .addIndex(let collection, let index): stored.collections[collection]?.indexes.insert(index)
    case .dropIndex(let collection, let index): stored.collections[collection]?.indexes.remove(index)
    case .addSearch(let collection, let fields): stored.collections[collection]?.searchable = fields
    case .dropSearch(let collection): stored.collections[collection]?.searchable = []
    }
  }

  private func plan(_ stored: StoredSchema, _ set: [CollectionDeclaration]) throws -> SchemaMigration {
    SchemaMigration(from: stored, to: try RecordSchema.all(set))
  }

  @Test func theSameAgainIsNothing() throws {
    let set = [
      declare([name, FieldDeclaration(name: "n", type: .integer, unique: true)], indexes: [["name", "n"]])
    ]
    #expect(try plan(try store([set]), set).isEmpty)
  }

  @Test func searchIsMadeAnewWhereItsFieldsChange() throws {
    func fields(_ searchable: [String]) -> [FieldDeclaration] {
      ["a", "b"].map { FieldDeclaration(name: $0, type: .string, searchable: searchable.contains($0)) }
    }
    let one = [declare(fields(["a"]))]
    let both = [declare(fields(["a", "b"]))]
    #expect(try plan(store([one]), both).steps == [.addSearch(collection: "c", fields: ["a", "b"])])
    #expect(try plan(store([one, both]), one).steps == [.addSearch(collection: "c", fields: ["a"])])
    #expect(try plan(store([both]), [declare(fields([]))]).steps == [.dropSearch(collection: "c")])
    #expect(try plan(store([both]), [declare(fields(["a", "b"]).reversed())]).isEmpty)
  }

  @Test func anEndIsPartOfTheDeclarationAndHasAnIndex() throws {
    let ends = FieldDeclaration(name: "ends", type: .timestamp)
    var set = [declare([ends])]
    set[0].expires = ExpiryDeclaration(field: "ends", afterSeconds: 5)
    #expect(CollectionDeclaration.read(storedText: CollectionDeclaration.storedText(set)) == set)
    set[0].expires?.afterSeconds = nil
    #expect(CollectionDeclaration.read(storedText: CollectionDeclaration.storedText(set)) == set)
    #expect(
      try plan(store([[declare([ends])]]), set).steps == [
        .addIndex(collection: "c", StoredSchema.Index(fields: ["ends"], unique: false))
      ])
  }

  @Test func queriesAreNoPartOfIt() throws {
    let set = [declare([name])]
    var asked = set
    asked[0].queries = [NamedQueryDeclaration(name: "q", query: [:])]
    #expect(try plan(try store([set]), asked).isEmpty)
    #expect(CollectionDeclaration.storedText(set) == CollectionDeclaration.storedText(asked))
  }

  @Test func aDeclarationIsRememberedWhole() throws {
    let set = [
      declare(
        [
          FieldDeclaration(
            name: "a", type: .string, required: true, indexed: true, defaultValue: "x", allowed: ["x", "y"],
            minLength: 1, maxLength: 2),
          FieldDeclaration(name: "b", type: .number, minimum: 1, maximum: 2.5),
          FieldDeclaration(name: "d", type: .json, defaultValue: ["k": [1, .null]]),
        ], indexes: [["a", "b"]])
    ]
    let read = try #require(CollectionDeclaration.read(storedText: CollectionDeclaration.storedText(set)))
    #expect(read == set)
    #expect(CollectionDeclaration.read(storedText: "{}") == nil)
    #expect(CollectionDeclaration.read(storedText: #"[{"name":"c","fields":[{"name":"x"}]}]"#) == nil)
  }

  @Test func aNewFieldNeedsADefaultOnlyWhenItIsRequired() throws {
    let stored = try store([[declare([name])]])
    let optional = FieldDeclaration(name: "o", type: .string)
    let filled = FieldDeclaration(name: "f", type: .integer, required: true, defaultValue: 1)
    #expect(
      try plan(stored, [declare([name, optional, filled])]).steps == [
        .addField(collection: "c", optional), .addField(collection: "c", filled),
      ])
    let bare = FieldDeclaration(name: "b", type: .integer, required: true)
    #expect(try plan(stored, [declare([name, bare])]).refusals.map(\.change) == ["required_without_default"])
  }

  @Test func tighterRulesAreCheckedAndLooserOnesAreNot() throws {
    let field = FieldDeclaration(name: "f", type: .string, allowed: ["a", "b"], minLength: 1, maxLength: 5)
    let stored = try store([[declare([name, field])]])
    func checks(_ change: (inout FieldDeclaration) -> Void) throws -> Int {
      var changed = field
      change(&changed)
      return try plan(stored, [declare([name, changed])]).checks.count
    }
    #expect(try checks { $0.allowed = ["a", "b", "c"] } == 0)
    #expect(try checks { $0.allowed = nil } == 0)
    #expect(try checks { $0.allowed = ["a"] } == 1)
    #expect(try checks { $0.maxLength = 6 } == 0)
    #expect(try checks { $0.maxLength = 4 } == 1)
    #expect(try checks { $0.minLength = 0 } == 0)
    #expect(try checks { $0.minLength = 2 } == 1)
    #expect(try checks { $0.required = true } == 1)
    #expect(try checks { $0.unique = true } == 1)
    var relaxed = name
    relaxed.required = false
    #expect(try plan(stored, [declare([relaxed, field])]).isEmpty)
  }

  @Test func goingBackKeepsWhatTheNewerOneAdded() throws {
    let first = [declare([name])]
    let second = [
      declare(
        [
          name, FieldDeclaration(name: "n", type: .string, unique: true),
          FieldDeclaration(name: "d", type: .integer, required: true, defaultValue: 1),
        ], indexes: [["name"], ["d", "n"]])
    ]
    let stored = try store([first, second])
    #expect(try plan(stored, first).isEmpty)
    #expect(try plan(try store([first, second, first]), second).isEmpty)
  }

  @Test func goingBackDropsAUniqueRuleThatTheOlderOneDoesNotHave() throws {
    let field = FieldDeclaration(name: "f", type: .string)
    var unique = field
    unique.unique = true
    let index = StoredSchema.Index(fields: ["f"], unique: true)
    let stored = try store([[declare([name, field])], [declare([name, unique])]])
    #expect(try plan(stored, [declare([name, field])]).steps == [.dropIndex(collection: "c", index)])
    let back = try store([[declare([name, field])], [declare([name, unique])], [declare([name, field])]])
    let forward = try plan(back, [declare([name, unique])])
    #expect(forward.checks == [.noDuplicates(collection: "c", field: "f")])
    #expect(forward.steps == [.addIndex(collection: "c", index)])
  }

  @Test func aNewDeclarationDropsIndexesThatItDoesNotAskFor() throws {
    let stored = try store([[declare([name], indexes: [["name"]])]])
    let next = [declare([name, FieldDeclaration(name: "x", type: .string)])]
    #expect(
      try plan(stored, next).steps.contains(
        .dropIndex(collection: "c", StoredSchema.Index(fields: ["name"], unique: false))))
  }

  @Test func aHiddenFieldThatBecomesRequiredIsFilled() throws {
    let optional = FieldDeclaration(name: "f", type: .string)
    let required = FieldDeclaration(name: "f", type: .string, required: true, defaultValue: "x")
    let stored = try store([[declare([name])], [declare([name, optional])], [declare([name])]])
    #expect(try plan(stored, [declare([name, required])]).steps == [.fill(collection: "c", required)])
  }

  @Test func everythingThatForbidsItIsListed() throws {
    let other = CollectionDeclaration(name: "other", fields: [name])
    let stored = try store([
      [declare([name, FieldDeclaration(name: "a", type: .string)]), other]
    ])
    let migration = try plan(
      stored,
      [
        declare([
          FieldDeclaration(name: "name", type: .integer),
          FieldDeclaration(name: "b", type: .string, required: true),
        ])
      ])
    #expect(
      Set(migration.refusals.map(\.change)) == [
        "type_changed", "field_removed", "required_without_default", "collection_removed",
      ])
  }
}
