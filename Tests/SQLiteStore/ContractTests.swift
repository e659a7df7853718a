import Application
import Cryptography
import Domain
import Kernel
import RecordsContract
import SQLiteStore
import Testing

@Suite struct SQLiteContractTests {
  @Test(arguments: ContractCase.all)
  func keepsTheContract(_ contract: ContractCase) throws {
    let folder = TemporaryFolder()
    var configuration = SQLiteConfiguration()
    configuration.clock = { contract.clock.now }
    try contract.run(
      SQLiteRecordStores(
        folder: folder.path, configuration: configuration, cipher: OpenSSLFieldCipher(keys: [randomBytes(32)])
      ))
  }
}
