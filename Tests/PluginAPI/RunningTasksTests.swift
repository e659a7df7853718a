import Testing

@testable import CouncilPlugin

@Suite struct RunningTasksTests {
  /// Between the claim of a request and its stream the request looks as if it were over.
  @Test(arguments: [true, false]) func whoBeginsAStreamIsNotTakenForCancelled(isAnswering: Bool) async {
    let tasks = RunningTasks()
    let (begun, begin) = AsyncStream<Void>.makeStream()
    let (gate, open) = AsyncStream<Void>.makeStream()
    let (ends, tell) = AsyncStream<Bool>.makeStream()
    let isStarted = tasks.start(1) {
      if isAnswering { tasks.isAnswering(1) }
      begin.yield()
      for await _ in gate { break }
      tell.yield(Task.isCancelled)
    }
    #expect(isStarted)
    for await _ in begun { break }
    tasks.cancel(1, unlessAnswering: true)
    open.yield()
    for await isCancelled in ends {
      #expect(isCancelled != isAnswering)
      break
    }
    #expect(tasks.stop(within: .seconds(60)))
  }

  @Test func aCancelOfTheHostsEndsAStreamToo() async {
    let tasks = RunningTasks()
    let (gate, open) = AsyncStream<Void>.makeStream()
    let (ends, tell) = AsyncStream<Bool>.makeStream()
    let (begun, begin) = AsyncStream<Void>.makeStream()
    #expect(
      tasks.start(1) {
        tasks.isAnswering(1)
        begin.yield()
        for await _ in gate { break }
        tell.yield(Task.isCancelled)
      })
    for await _ in begun { break }
    tasks.cancel(1)
    for await isCancelled in ends {
      #expect(isCancelled)
      break
    }
    open.finish()
  }
}
