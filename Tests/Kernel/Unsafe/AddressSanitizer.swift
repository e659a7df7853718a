import Glibc

/// Whether this process runs under the address sanitizer, which keeps freed memory for a while.
var isAddressSanitized: Bool {
  // Safe: the name is a constant, and the answer is only compared.
  unsafe dlsym(nil, "__asan_init") != nil
}
