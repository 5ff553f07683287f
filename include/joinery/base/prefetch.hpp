// prefetch: telling the processor what will be wanted soon.
//
// Purpose: memory is slow, and a processor fetches many places at once when it knows of them.
// Invariants: changes nothing. g++ takes a function that does nothing but fetch ahead for one
// without effect, and leaves out the calls of it; the empty statement of assembler keeps it.
// Thread-safety: pure functions.
#pragma once

#include <cstddef>

namespace joinery {

/// Has memory fetch the line of cache that `at` is in. Any address will do.
[[gnu::always_inline]] inline void prefetch(const void* at) noexcept {
  __builtin_prefetch(at);
  __asm__ volatile("");
}
/// The same for the first `size` bytes from `at` on.
[[gnu::always_inline]] inline void prefetch(const void* at, std::size_t size) noexcept {
  constexpr std::size_t line = 64;
  for (std::size_t i = 0; i < size; i += line) prefetch(static_cast<const char*>(at) + i);
}

}  // namespace joinery
