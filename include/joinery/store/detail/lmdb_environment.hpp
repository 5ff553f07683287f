// One open LMDB environment: judged before it is opened, with its areas, closed at the end.
//
// Purpose: the order of steps in which an unknown, damaged, half-made or foreign directory becomes
// either an environment that LMDB can be trusted with, or an error.
// Invariants: never MDB_NOSYNC, MDB_WRITEMAP or MDB_MAPASYNC. Read transactions own their reader
// slot (MDB_NOTLS), so that threads may come and go. This process opens and closes `lock.mdb` only
// before LMDB does: closing it later would drop LMDB's file locks.
// Thread-safety: none; see lmdb_core.
#pragma once

#include <sys/mman.h>

#include <algorithm>

#include "joinery/history/storage_rules.hpp"
#include "joinery/store/detail/lmdb_check.hpp"
#include "joinery/store/detail/lmdb_error.hpp"
#include "joinery/store/detail/lmdb_transaction.hpp"
#include "joinery/store/lmdb_options.hpp"

namespace joinery::store::detail {

class lmdb_environment {
 public:
  /// `trusted`: the last writer closed cleanly. Only the holder of the writer's lock opens for
  /// writing.
  static result<std::unique_ptr<lmdb_environment>> open(const lmdb_options& options, bool trusted) {
    auto out = std::unique_ptr<lmdb_environment>(new lmdb_environment(options));
    if (auto done = out->prepare(trusted); !done) return done.error();
    if (auto done = out->start(); !done) return done.error();
    if (auto done = out->examine_and_bind(trusted); !done) return done.error();
    return out;
  }

  lmdb_environment(const lmdb_environment&) = delete;
  lmdb_environment& operator=(const lmdb_environment&) = delete;
  ~lmdb_environment() {
    // LMDB's state in a child of fork is left alone: its mutexes and reader slots are the parent's.
    if (env_ != nullptr && ::getpid() == pid_) ::mdb_env_close(env_);
  }

  [[nodiscard]] MDB_env* raw() const noexcept { return env_; }
  [[nodiscard]] const lmdb_areas& areas() const noexcept { return areas_; }
  [[nodiscard]] const file& data() const noexcept { return data_; }
  [[nodiscard]] bool complete() const noexcept { return areas_.front().has_value(); }

  /// Begins a transaction; LMDB's code.
  int begin(unsigned flags, lmdb_transaction& out) {
    MDB_txn* txn = nullptr;
    int code = ::mdb_txn_begin(env_, nullptr, flags, &txn);
    if (code == MDB_READERS_FULL && ::mdb_reader_check(env_, nullptr) == 0) {
      code = ::mdb_txn_begin(env_, nullptr, flags, &txn);
    }
    out = lmdb_transaction(code == 0 ? txn : nullptr, {pid_});
    return code;
  }

  [[nodiscard]] std::size_t map_bytes() const noexcept {
    MDB_envinfo info{};
    return ::mdb_env_info(env_, &info) == 0 ? info.me_mapsize : 0;
  }

  /// Whether the process has that many addresses left in one piece.
  [[nodiscard]] static bool can_map(std::size_t size) noexcept {
    void* probe =
        ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return probe != MAP_FAILED && ::munmap(probe, size) == 0;
  }

  /// Moves the map; 0 adopts the size that another process gave it. No transaction may be running.
  /// After an error the environment has no map and must only be closed.
  int resize(std::size_t size) noexcept { return ::mdb_env_set_mapsize(env_, size); }

  /// Opens the areas that exist, or all of them when the environment may write; commits `txn` when
  /// it is LMDB's turn to remember them.
  int bind(lmdb_transaction txn) {
    for (std::size_t i = 0; i < areas_.size(); ++i) {
      const auto a = static_cast<history::area>(i);
      const unsigned kind = a == history::area::log ? unsigned{MDB_INTEGERKEY} : 0U;
      const unsigned create = options_.read_only ? 0U : unsigned{MDB_CREATE};
      MDB_dbi db = 0;
      unsigned actual = 0;
      int code = ::mdb_dbi_open(txn.get(), name(a).c_str(), kind | create, &db);
      if (code == MDB_NOTFOUND) {
        areas_ = {};
        return 0;
      }
      if (code == 0) code = ::mdb_dbi_flags(txn.get(), db, &actual);
      if (code != 0) return code;
      if (actual != kind) return MDB_INCOMPATIBLE;  // LMDB itself does not compare
      areas_[i] = db;
    }
    return ::mdb_txn_commit(txn.release());
  }

 private:
  static constexpr std::size_t least_map_bytes = std::size_t{1} << 16;

  explicit lmdb_environment(const lmdb_options& options)
      : options_(options), data_path_(options.path + "/data.mdb") {}

  static std::string name(history::area a) { return std::string(history::name_of(a)); }

  /// Judges the files; makes them where that is asked for.
  result<> prepare(bool trusted) {
    auto opened = file::open(data_path_, O_RDONLY);
    if (!opened && opened.error().code != errc::not_found) return opened.error();
    if (opened) {
      data_ = std::move(*opened);
      if (!trusted) forget_cached();
      auto header = lmdb_format::read_header(data_, data_path_, !trusted);
      if (!header) return header.error();
      header_ = *header;
    }
    if (!header_) {
      if (options_.read_only || !options_.create_if_missing) {
        return error{errc::not_found, "there is no store", options_.path,
                     "check the path, or open it for writing with create_if_missing"};
      }
      if (data_ && ::truncate(data_path_.c_str(), 0) != 0) {
        return system_error(errno, "truncate", data_path_);
      }
    }
    return reserve_lock_file();
  }

  /// Makes the next look at the file see what the device has. After a failed fsync the cache may
  /// show more.
  void forget_cached() const noexcept {
#ifdef POSIX_FADV_DONTNEED
    static_cast<void>(::posix_fadvise(data_.fd(), 0, 0, POSIX_FADV_DONTNEED));
#endif
  }

  /// LMDB writes to `lock.mdb` through memory, and would die of SIGBUS where a full device cannot
  /// fill a hole in it.
  result<> reserve_lock_file() const {
#ifdef __linux__
    constexpr std::size_t new_lock_bytes = 16'384;  // 253 readers
    const auto path = options_.path + "/lock.mdb";
    auto lock = file::open(path, O_RDWR | (options_.read_only ? 0 : O_CREAT));
    if (!lock) return options_.read_only ? result<>{} : lock.error();
    const auto size = lock->size();
    if (size > (std::uint64_t{1} << 30)) {
      return error{errc::malformed, "the file is too large to be LMDB's lock file", path,
                   "remove it while no program has the store open"};
    }
    const auto wanted = static_cast<off_t>(size == 0 ? new_lock_bytes : size);
    if (::fallocate(lock->fd(), 0, 0, wanted) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
      return system_error(errno, "reserve room", path);
    }
#endif
    return {};
  }

  result<> start() {
    int code = ::mdb_env_create(&env_);
    if (code == 0) code = ::mdb_env_set_maxdbs(env_, history::area_count + 1);
    if (code == 0 && !options_.read_only) code = ::mdb_env_set_mapsize(env_, first_map_bytes());
    unsigned flags = MDB_NOTLS;
    if (options_.read_only) flags |= MDB_RDONLY;
    if (options_.mode == history::durability::interval) flags |= MDB_NOMETASYNC;
    if (code == 0) code = ::mdb_env_open(env_, options_.path.c_str(), flags, 0600);
    if (code == 0) code = ::mdb_reader_check(env_, nullptr);
    if (code != 0) return lmdb_error(code, "open the environment", options_.path);
    return header_ ? result<>{} : secure_new_file();
  }

  /// LMDB does not sync its first two pages. Others must not reach the device before them: a file
  /// with those alone is one that nobody knows.
  result<> secure_new_file() {
    auto opened = file::open(data_path_, O_RDONLY);
    if (!opened) return opened.error();
    data_ = std::move(*opened);
    if (flush_to_device(data_.fd()) != 0) return system_error(errno, "flush", data_path_);
    flush_directory(options_.path);
    return {};
  }

  [[nodiscard]] std::size_t first_map_bytes() const noexcept {
    auto size = std::max(options_.initial_map_bytes, least_map_bytes);
    std::size_t used = 0;
    if (header_) {
      size = std::max(size, header_->newest().map_bytes);
      used = static_cast<std::size_t>(header_->used_bytes());
    }
    size = std::max({std::min(size, options_.most_map_bytes), least_map_bytes, used});
    const auto unit = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (size + unit - 1) / unit * unit;
  }

  /// Examines the image that is going to be used, if that is called for, and opens the areas in it.
  result<> examine_and_bind(bool trusted) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      lmdb_transaction txn;
      // A writer's begin also recovers what a killed one left in LMDB's lock file.
      int code = begin(options_.read_only ? unsigned{MDB_RDONLY} : 0U, txn);
      if (code == MDB_MAP_RESIZED && (code = resize(0)) == 0) continue;
      if (code != 0) return lmdb_error(code, "begin the first transaction", options_.path);
      auto header = lmdb_format::read_header(data_, data_path_, false);
      if (!header) return header.error();
      const auto id = ::mdb_txn_id(txn.get()) - (options_.read_only ? 0 : 1);
      const auto* image = *header ? image_of(**header, id) : nullptr;
      if (image == nullptr) continue;  // a writer was faster than this reader
      if (auto sound = examine(**header, *image, trusted); !sound) return sound;
      if (auto ours = require_ours(txn.get()); !ours) return ours;
      code = bind(std::move(txn));
      if (code != 0) return lmdb_error(code, "open the areas", options_.path);
      return {};
    }
    return lmdb_format::damaged("lock.mdb and data.mdb contradict each other", options_.path);
  }

  static const lmdb_format::meta* image_of(const lmdb_format::header& header, std::size_t id) {
    for (const auto& m : header.metas) {
      if (m.transaction == id) return &m;
    }
    return nullptr;
  }

  [[nodiscard]] result<> examine(const lmdb_format::header& header, const lmdb_format::meta& image,
                                 bool trusted) const {
    const auto size = data_.size();
    const bool is_short = size / header.page_bytes <= image.last_page;
    if (trusted && !is_short && size > options_.check_up_to_bytes) return {};
    return lmdb_check(data_, header.page_bytes, image, data_path_).run();
  }

  /// Refuses an environment with anything in it that is not an area of this format.
  [[nodiscard]] result<> require_ours(MDB_txn* txn) const {
    MDB_dbi names = 0;
    MDB_cursor* raw_cursor = nullptr;
    int code = ::mdb_dbi_open(txn, nullptr, 0, &names);
    if (code == 0) code = ::mdb_cursor_open(txn, names, &raw_cursor);
    const lmdb_cursor cursor(raw_cursor);
    MDB_val key{}, value{};
    while (code == 0 && (code = ::mdb_cursor_get(raw_cursor, &key, &value, MDB_NEXT)) == 0) {
      bool known = false;
      for (std::size_t i = 0; i < history::area_count; ++i) {
        known |= history::name_of(static_cast<history::area>(i)) == to_view(key);
      }
      if (known) continue;
      return error{errc::unsupported,
                   "an LMDB environment with something that joinery did not write",
                   options_.path + ", entry " + to_hex(to_view(key).substr(0, 24)),
                   "give the store a directory of its own; if it is one, a newer joinery wrote it"};
    }
    if (code != MDB_NOTFOUND) return lmdb_error(code, "list the areas", options_.path);
    return {};
  }

  lmdb_options options_;
  std::string data_path_;
  pid_t pid_ = ::getpid();
  MDB_env* env_ = nullptr;
  file data_;
  std::optional<lmdb_format::header> header_;
  lmdb_areas areas_{};
};

}  // namespace joinery::store::detail
