// fork_mark: tells a process from its children, without asking the system each time.
//
// Purpose: LMDB's transactions and locks are those of the process that opened them. Each use asks,
// and a call of the system would cost more than the look-up behind it.
// Invariants: the mark stands on a page of its own that the system empties in a child; where it
// cannot, the process is compared.
// Thread-safety: any number of threads may ask.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace joinery::store::detail {

class fork_mark {
 public:
  fork_mark() {
#ifdef MADV_WIPEONFORK
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const page =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    if (::madvise(page, size, MADV_WIPEONFORK) != 0) {
      ::munmap(page, size);
      return;
    }
    page_ = static_cast<volatile char*>(page);
    size_ = size;
    *page_ = 1;
#endif
  }
  ~fork_mark() {
    if (page_ != nullptr) ::munmap(const_cast<char*>(page_), size_);
  }
  fork_mark(const fork_mark&) = delete;
  fork_mark& operator=(const fork_mark&) = delete;

  /// Whether this is the process that made the mark.
  [[nodiscard]] bool is_ours() const noexcept {
    return page_ != nullptr ? *page_ != 0 : ::getpid() == pid_;
  }
  [[nodiscard]] pid_t process() const noexcept { return pid_; }

 private:
  pid_t pid_ = ::getpid();
  volatile char* page_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace joinery::store::detail
