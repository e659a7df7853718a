import CouncilPlugin

/// One account: who, how much, in which currency, in which state.
enum Account: Record {
  static let collection = "accounts"

  static let fields: [Field] = [
    .string("name", length: 1...200).required().described("Who holds the account"),
    .string("email", length: 3...254, pattern: "^[^@\\s]+@[^@\\s]+$").required().unique()
      .described("Unique among all accounts"),
    .integer("balance").required().defaulting(to: 0).described("In minor units: cents for EUR"),
    .string("currency", length: 3...3, pattern: "^[A-Z]{3}$").required().described("ISO 4217"),
    .string("status", oneOf: ["active", "suspended", "closed"]).required().defaulting(to: "active"),
  ]

  static let indexes = [["status", "created_at"], ["currency", "balance"], ["created_at"]]

  // What an agent may browse; an email is for who asks for one account.
  static let resourceFields = ["name", "balance", "currency", "status"]

  static let listing = Listing(
    of: Account.self,
    filters: [
      .equal(to: "status"), .equal(to: "currency"), .equal(to: "email"), .atLeast("balance"),
      .atMost("balance"),
    ],
    order: ["created_at", "balance", "name"])
}
