public import CouncilPlugin

/// Accounts with a balance: the example that uses every part of the contract.
struct Accounts: Automation {
  static let id = "accounts", version = "1.0.0"
  static let title = "Accounts"
  static let summary = "Accounts with a holder, a balance in minor units, a currency and a status."

  @Records var accounts: RecordsOf<Account>

  var routes: Routes {
    // A filter may read many records before it finds enough, so lists stay off the event threads.
    GET("/", "List accounts") { try accounts.page($0.query) }.lists(Account.self)

    POST("/", "Create account") { try accounts.insert($0.body).created() }.creates(Account.self).dryRun()

    // One look-up by key.
    GET("/{id}", "Get account") { try accounts.get($0.parameter("id")) }.reads(Account.self).inline()

    PATCH("/{id}", "Change account") {
      try accounts.patch($0.parameter("id"), $0.body, version: $0.ifMatch)
    }.changes(Account.self).dryRun()

    // Cannot be undone: the host asks back first.
    DELETE("/{id}", "Delete account") {
      try accounts.delete($0.parameter("id"), version: $0.ifMatch)
    }.deletes(Account.self).confirmed().dryRun()
  }
}

@c(council_plugin_entry_v1) public func entry() -> PluginTable { export(Accounts.self) }
