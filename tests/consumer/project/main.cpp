// What joinery::joinery gives a program: its headers, and the libraries behind them, linked.
#include <joinery/joinery.hpp>
#include <joinery/version.hpp>

#include <lmdb.h>
#include <sodium.h>
#include <xxhash.h>
#include <zstd.h>

#include <iostream>
#include <msgpack/version.hpp>

int main() {
  std::cout << "joinery " << joinery::library_version << ", "
            << mdb_version(nullptr, nullptr, nullptr) << ", libsodium " << sodium_version_string()
            << ", xxHash " << XXH_versionNumber() << ", zstd " << ZSTD_versionNumber()
            << ", msgpack-cxx " << msgpack_version() << '\n';
}
