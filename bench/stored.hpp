// A store with a base, its snapshot and a tail of the log behind that; another whose snapshot has
// all; and raw LMDB with the same records: what opening, reading and memory are measured on. Made
// once for each size.
#pragma once

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "durable_engine.hpp"

namespace bench {

struct stored {
  static constexpr std::uint32_t tail_operations = 10'000;

  const fitness_workload& w;
  std::string folder;
  std::string settled_folder;
  std::string raw_folder;
  double canonical_bytes = 0;  ///< of a record, on average

  explicit stored(std::uint32_t records)
      : w(fitness(records, tail_operations, 4)),
        folder(data_folder("store-" + std::to_string(records))),
        settled_folder(data_folder("settled-" + std::to_string(records))),
        raw_folder(data_folder("raw-" + std::to_string(records))) {
    store_base(folder, w);
    auto e = open_on_disk(folder, without_snapshots());
    for (const auto& of_replica : w.changesets) feed(e, of_replica);
    std::filesystem::remove_all(settled_folder);
    e.storage().copy_to(settled_folder, true).value();
    open_on_disk(settled_folder, without_snapshots()).checkpoint().value();

    std::vector<joinery::causal::replica_index> order;
    const auto map = joinery::state::canonical_order(e.replicas(), e.seen(), order);
    std::size_t size = 0;
    raw_lmdb raw{raw_folder, MDB_NOSYNC};
    raw.write([&](auto& tx) {
      e.for_each(fitness_table, {}, [&](bytes_view key, bytes_view packed) {
         tx.put(key, packed, MDB_APPEND);
         size += joinery::state::canonical_record(packed, map, e.names()).size();
         return true;
       }).value();
    });
    canonical_bytes = static_cast<double>(size) / records;
  }
};

inline const stored& stored_of(std::uint32_t records) {
  static std::map<std::uint32_t, std::unique_ptr<stored>> made;
  auto& s = made[records];
  if (!s) {
    s = std::make_unique<stored>(records);
    auto e = open_on_disk(s->folder, without_snapshots());  // finds out that it was copied
    verify_fitness(e, s->w);
  }
  return *s;
}

/// Takes a folder's files out of the page cache, and sees that they are gone.
inline void drop_from_page_cache(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto size = static_cast<std::size_t>(entry.file_size());
    const int file = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    check(file >= 0, "a file is opened");
    check(::fsync(file) == 0 && ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0,
          "a file leaves the page cache");
    if (size > 0) {
      void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
      check(at != MAP_FAILED, "a file is mapped");
      const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
      std::vector<unsigned char> there((size + page - 1) / page);
      check(::mincore(at, size, there.data()) == 0, "the page cache can be asked");
      std::size_t resident = 0;
      for (const auto p : there) resident += p & 1;
      ::munmap(at, size);
      check(resident * 50 <= there.size() + 50, "no more than a fiftieth of a file is left");
    }
    ::close(file);
  }
}

/// Bytes of this process's memory that are in no file.
inline double anonymous_memory() {
  ::malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    double kilobytes = 0;
    if (name == "RssAnon:" && status >> kilobytes) return kilobytes * 1024;
  }
  fail("the kernel does not tell how much memory this process has");
}

}  // namespace bench
