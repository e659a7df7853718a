package import Domain
package import Kernel

/// A host's end of the channel: tells the supervisor, and hands what it says to the host, in order.
package final class SupervisorLink: Sendable {
  /// What the host was started with.
  package let begin: Begin
  private let channel: Channel
  private let lost: @Sendable () -> Never

  /// Takes the inherited descriptors. Throws `host.unsupervised` when this process was not started by a supervisor.
  /// `lost` is called when the supervisor is gone: nobody would start this host again, and a new supervisor wants the
  /// home and the ports. [main], before the second thread
  package init(lost: @escaping @Sendable () -> Never) throws(Problem) {
    InheritedConfiguration.keepInherited()
    // Whoever closes it ends the host, in order or not.
    channel = Channel(HostDescriptors.channel, isOwned: false)
    self.lost = lost
    guard case .message(let bytes) = channel.receive(waits: true),
      let begin = Notice(bytes)?.begin
    else {
      throw Problem(500, "host.unsupervised", "A host is started by `council serve`.")
    }
    self.begin = begin
  }

  /// Listens on a thread of its own; `hear` must not block for long.
  package func listen(_ hear: @escaping @Sendable (Notice) -> Void) {
    OSThread("supervisor") {
      while true {
        switch self.channel.receive(waits: true) {
        case .message(let bytes):
          if let notice = Notice(bytes) { hear(notice) }
        case .nothing: continue
        case .closed: self.lost()
        // Somebody closed this end; the supervisor has seen that, and ends this host.
        case .broken: return
        }
      }
    }.leave()
  }

  package func say(_ kind: HostWord.Kind, cause: String? = nil) {
    var word = HostWord(kind)
    word.cause = cause
    channel.send(JSON.encode(word.json))
  }

  /// These crashes are stored.
  package func noted(_ crashes: [CrashReport]) {
    guard !crashes.isEmpty else { return }
    var word = HostWord(.noted)
    word.crashes = crashes.map(\.id)
    channel.send(JSON.encode(word.json))
  }

  package func changed(key: String) {
    var word = HostWord(.keyChanged)
    word.key = key
    channel.send(JSON.encode(word.json))
  }
}
