// What the process has on the heap, for tests of bounds on memory.
#pragma once

#include <cstddef>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace state_tests {

/// Bytes in blocks of the heap; 0 where nobody can tell.
inline std::size_t heap() {
#if defined(__GLIBC__)
  return ::mallinfo2().uordblks;
#else
  return 0;
#endif
}

}  // namespace state_tests
