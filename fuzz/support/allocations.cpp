// What is allocated, counted: by the sanitizer's hooks, or by operator new and delete.
#include "fuzz/support/allocations.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#if JOINERY_SANITIZED
#include <sanitizer/allocator_interface.h>
#endif

namespace {

std::ptrdiff_t live_bytes = 0;
std::ptrdiff_t peak_bytes = 0;

void took(std::size_t size) noexcept {
  live_bytes += static_cast<std::ptrdiff_t>(size);
  peak_bytes = std::max(peak_bytes, live_bytes);
}
void gave_back(std::size_t size) noexcept { live_bytes -= static_cast<std::ptrdiff_t>(size); }

#if JOINERY_SANITIZED
void on_malloc(const volatile void*, std::size_t size) { took(size); }
void on_free(const volatile void* block) {
  if (block != nullptr) gave_back(__sanitizer_get_allocated_size(const_cast<const void*>(block)));
}
void watch() noexcept {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  static_cast<void>(installed);
}
#else
void* taken(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  took(malloc_usable_size(block));
  return block;
}
void given_back(void* block) noexcept {
  gave_back(malloc_usable_size(block));
  std::free(block);
}
void watch() noexcept {}
#endif

}  // namespace

namespace fuzz::allocations {

std::ptrdiff_t live() noexcept { return live_bytes; }
std::ptrdiff_t peak() noexcept { return peak_bytes; }
void forget_peak() noexcept {
  watch();
  peak_bytes = live_bytes;
}

}  // namespace fuzz::allocations

#if !JOINERY_SANITIZED
void* operator new(std::size_t size) { return taken(std::malloc(size)); }
void* operator new(std::size_t size, std::align_val_t align) {
  const auto a = static_cast<std::size_t>(align);
  return taken(std::aligned_alloc(a, (size + a - 1) / a * a));
}
void operator delete(void* block) noexcept { given_back(block); }
void operator delete(void* block, std::size_t) noexcept { given_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { given_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { given_back(block); }
#endif
