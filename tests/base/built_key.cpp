// Keys that are put together to look something up.
#include "joinery/base/built_key.hpp"

#include <catch2/catch.hpp>

using namespace joinery;

TEST_CASE("a key is what was written, in place or on the heap") {
  for (std::size_t size = 0; size < 40; ++size) {
    bytes wanted;
    for (std::size_t i = 0; i < size; ++i) wanted.push_back(static_cast<char>('a' + i % 26));
    const built_key<16> key{size, [&](char* to) { wanted.copy(to, size); }};
    CHECK(bytes_view{key} == wanted);
  }
}
