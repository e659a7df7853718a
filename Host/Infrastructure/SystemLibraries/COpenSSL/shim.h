#pragma once
// SHA-256 by plain structs: EVP allocates a context for every digest and cannot copy one without. OpenSSL 3 calls
// these functions deprecated; it has no others that leave the memory to the caller.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
