public import CouncilPlugin

// Version 2 of Plugins/Accounts, which serves beside it on the same records: the holder is called so, and a field is
// new.

enum Account: Record {
  static let collection = "accounts"

  static let fields: [Field] = [
    .string("name", length: 1...200).required(),
    .string("email", length: 3...254, pattern: "^[^@\\s]+@[^@\\s]+$").required().unique(),
    .integer("balance").required().defaulting(to: 0),
    .string("currency", length: 3...3, pattern: "^[A-Z]{3}$").required(),
    .string("status", oneOf: ["active", "suspended", "closed"]).required().defaulting(to: "active"),
    .string("note", length: 0...1000),
  ]

  static let indexes = [["status", "created_at"], ["currency", "balance"], ["created_at"]]
}

struct AccountsV2: Automation {
  static let id = "accounts-v2", version = "2.0.0"
  static let versionOf: String? = "accounts"
  static let title = "Accounts"

  @Records var accounts: RecordsOf<Account>

  var routes: Routes {
    GET("/", "List accounts") { try accounts.page($0.query) }.lists(Account.self)
    POST("/", "Create account") { try accounts.insert($0.body).created() }.creates(Account.self)
    GET("/{id}", "Get account") { try accounts.get($0.parameter("id")) }.reads(Account.self).inline()
      .deprecated(
        Deprecation(since: "2026-11-01T00:00:00Z", sunset: "2027-05-01T00:00:00Z", link: "/v3/accounts"))
    PATCH("/{id}", "Change account") {
      try accounts.patch($0.parameter("id"), $0.body, version: $0.ifMatch)
    }.changes(Account.self)
  }
}

@c(council_plugin_entry_v1) public func entry() -> PluginTable { export(AccountsV2.self) }
