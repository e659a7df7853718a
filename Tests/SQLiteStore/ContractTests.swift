import Application
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct SQLiteContractTests {
  @Test(arguments: ContractCase.all)
  func keepsTheContract(_ contract: ContractCase) throws {
    let folder = TemporaryFolder()
    try contract.run(SQLiteRecordStores(folder: folder.path))
  }
}
