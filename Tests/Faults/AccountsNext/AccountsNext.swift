public import CouncilPlugin

// The next version of Plugins/Accounts as an upgrade would bring it: one field more, with a default. The reload tests
// swap the two under load.

enum Account: Record {
  static let collection = "accounts"

  static let fields: [Field] = [
    .string("name", length: 1...200).required(),
    .string("email", length: 3...254, pattern: "^[^@\\s]+@[^@\\s]+$").required().unique(),
    .integer("balance").required().defaulting(to: 0),
    .string("currency", length: 3...3, pattern: "^[A-Z]{3}$").required(),
    .string("status", oneOf: ["active", "suspended", "closed"]).required().defaulting(to: "active"),
    .string("tier", oneOf: ["basic", "gold"]).defaulting(to: "basic"),
  ]

  static let indexes = [["status", "created_at"], ["currency", "balance"], ["created_at"]]
}

struct AccountsNext: Automation {
  static let id = "accounts", version = "1.1.0"
  static let title = "Accounts"

  @Records var accounts: RecordsOf<Account>

  var routes: Routes {
    GET("/", "List accounts") { try accounts.page($0.query) }.lists(Account.self)
    POST("/", "Create account") { try accounts.insert($0.body).created() }.creates(Account.self)
    GET("/{id}", "Get account") { try accounts.get($0.parameter("id")) }.reads(Account.self).inline()
  }
}

@c(council_plugin_entry_v1) public func entry() -> PluginTable { export(AccountsNext.self) }
