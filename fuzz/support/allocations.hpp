// allocations: how much memory the program holds, and held at most.
//
// Purpose: fuzzers bound what an input may allocate. With AddressSanitizer all that is allocated
// counts, by its hooks; otherwise what goes through operator new, which this then replaces for the
// whole program.
// Invariants: `peak() >= live()`.
// Thread-safety: none; the programs have one thread.
#pragma once

#include <cstddef>

namespace fuzz::allocations {

/// Bytes that were allocated since the program began, or since `forget_peak` was first called, and
/// are still.
std::ptrdiff_t live() noexcept;
/// The most that there were, since `forget_peak`.
std::ptrdiff_t peak() noexcept;
void forget_peak() noexcept;

}  // namespace fuzz::allocations
