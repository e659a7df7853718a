package import Kernel

/// An API key as it is kept: never the key itself.
///
/// The text a caller sends is `ck_<id>_<secret>`: the id is 12 characters and public, the secret 43 characters
/// of base64url (256 random bits). Kept is the SHA-256 of the whole text; a secret of 256 random bits
/// needs no slow hash.
package struct KeyRecord: Sendable, Equatable {
  package var id: String
  /// SHA-256 of the key's text, 32 bytes.
  package var digest: [UInt8]
  /// Who calls; stays the same when the key is rotated.
  package var principal: String
  package var name: String
  /// `accounts:read`, `accounts:*`, `admin:*`.
  package var scopes: [String]
  package var limit: RateLimitRecord?
  /// Characters (Unicode scalars) that an answer may have at most; nil leaves it to the host.
  package var answerLimit: Int?
  package var created: Timestamp
  package var expires: Timestamp?
  package var revoked: Timestamp?
  /// To the minute at least; written in the background.
  package var lastUsed: Timestamp?

  /// What an ``answerLimit`` may be: room for a problem at least, and as much as 24 bits hold.
  package static let answerLimits = 256...16_777_215

  package init(
    id: String, digest: [UInt8], principal: String, name: String, scopes: [String],
    limit: RateLimitRecord? = nil, answerLimit: Int? = nil, created: Timestamp, expires: Timestamp? = nil,
    revoked: Timestamp? = nil, lastUsed: Timestamp? = nil
  ) {
    self.id = id
    self.digest = digest
    self.principal = principal
    self.name = name
    self.scopes = scopes
    self.limit = limit
    self.answerLimit = answerLimit
    self.created = created
    self.expires = expires
    self.revoked = revoked
    self.lastUsed = lastUsed
  }
}

/// A ``RateLimit`` as it is stored.
package struct RateLimitRecord: Sendable, Equatable {
  package var requests: Int
  package var periodSeconds: Int

  package init(requests: Int, periodSeconds: Int) {
    self.requests = requests
    self.periodSeconds = periodSeconds
  }
}
