import CouncilPlugin

/// One account: who, how much, in which currency, in which state.
enum Account: Record {
  static let collection = "accounts"

  static let fields: [Field] = [
    .string("name", length: 1...200).required().described("Who holds the account")
      .example("Ada Lovelace"),
    .string("email", length: 3...254, pattern: "^[^@\\s]+@[^@\\s]+$").required().unique()
      .described("Unique among all accounts").example("ada@example.com"),
    .integer("balance").required().defaulting(to: 0).described("In minor units: cents for EUR"),
    .string("currency", length: 3...3, pattern: "^[A-Z]{3}$").required().described("ISO 4217")
      .example("EUR"),
    .string("status", oneOf: ["active", "suspended", "closed"]).required().defaulting(to: "active")
      .described("Whether it may be used: a suspended one may again, a closed one never"),
  ]

  static let indexes = [["status", "created_at"], ["currency", "balance"], ["created_at"]]

  static let listing = Listing(
    of: Account.self,
    filters: [
      .equal(to: "status"), .equal(to: "currency"), .equal(to: "email"), .atLeast("balance"),
      .atMost("balance"),
    ],
    order: ["created_at", "balance", "name"])
}
