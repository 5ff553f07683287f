// The state of one open LMDB store, and its rules: one writer, many readers, growth, poison, the
// pinned image.
//
// Purpose: everything that `lmdb` promises beyond LMDB itself.
// Invariants: the map moves only while nobody is reading and no write runs. After a commit
// or sync that failed for another reason than a full device nothing is acknowledged any more: the
// kernel may have dropped pages that it calls clean, so that a second fsync proves nothing. In a
// read-only store all reads use one pinned transaction.
// Thread-safety: all of it, except opening and closing.
#pragma once

#include <atomic>

#include "joinery/store/detail/fork_mark.hpp"
#include "joinery/store/detail/lmdb_report.hpp"
#include "joinery/store/detail/lmdb_view.hpp"
#include "joinery/store/detail/occupancy.hpp"
#include "joinery/store/detail/pins.hpp"
#include "joinery/store/detail/poison.hpp"
#include "joinery/store/detail/read_places.hpp"

namespace joinery::store::detail {

class lmdb_core {
 public:
  static result<std::unique_ptr<lmdb_core>> open(const lmdb_options& options) {
    if (options.path.empty()) {
      return error{errc::invalid_argument, "a store needs the path of a directory", "", ""};
    }
    const bool may_create = !options.read_only && options.create_if_missing;
    if (may_create) {
      if (auto made = make_directories(options.path); !made) return made.error();
    } else if (::access((options.path + "/data.mdb").c_str(), F_OK) != 0) {
      return error{errc::not_found, "there is no store", options.path,
                   "check the path, or open it for writing with create_if_missing"};
    }
    auto network = network_file_system(options.path);
    if (!network) return network.error();
    auto local = require_local(*network, options.allow_network_fs, options.path);
    if (!local) return local.error();
    auto out = std::unique_ptr<lmdb_core>(new lmdb_core(options));
    out->network_ = std::move(*network);
    // Where nobody can write LMDB does not lock either: there is nothing to protect.
    if (!options.read_only || !is_read_only(options.path)) {
      auto mark = process_mark::take(options.path);
      if (!mark) return mark.error();
      out->mark_.emplace(std::move(*mark));
    }
    if (!options.read_only) {
      auto lock = writer_lock::take(options.path);
      if (!lock) return lock.error();
      out->lock_.emplace(std::move(*lock));
    }
    const bool trusted = !out->lock_ || out->lock_->clean_before();
    auto environment = lmdb_environment::open(options, trusted);
    if (!environment) {
      const bool sound = trusted && environment.error().code != errc::malformed;
      if (out->lock_) out->lock_->leave_clean(sound);
      return environment.error();
    }
    out->environment_ = std::move(*environment);
    if (options.read_only) {
      if (auto pinned = out->pin(); !pinned) return pinned.error();
    }
    return out;
  }

  ~lmdb_core() { static_cast<void>(close()); }
  lmdb_core(const lmdb_core&) = delete;
  lmdb_core& operator=(const lmdb_core&) = delete;

  [[nodiscard]] const lmdb_options& options() const noexcept { return options_; }

  [[nodiscard]] bool poisoned() const { return poison_.is_set() || forked(); }

  template <class Body>
  result<> write(Body&& body) {
    if (auto bad = unusable()) return *bad;
    if (options_.read_only) {
      return error{errc::read_only, "a write to a store that is open for reading", options_.path,
                   "open it without read_only"};
    }
    if (busy_in_this_thread()) return history::nested_use();
    const writing turn(*this);
    if (auto bad = unusable()) return *bad;  // while waiting for the turn
    for (;;) {
      auto committed = attempt(body);
      if (!committed) return committed.error();
      if (*committed) return {};
      if (auto grown = grow(); !grown) return grown;
    }
  }

  template <class Body>
  result<> read(Body&& body) {
    if (!usable()) return *unusable();
    if (writer_thread_.load() == std::this_thread::get_id()) return history::nested_use();
    read_places::pass pass(places_);
    if (!pass.entered()) return history::nested_use();
    if (!usable()) return *unusable();  // while waiting for a place
    std::unique_lock<std::mutex> one_at_a_time;
    if (options_.read_only) {
      // LMDB lets threads share a transaction, in turns.
      one_at_a_time = std::unique_lock(pin_mutex_);
      if (!pinned_) {
        return error{errc::closed, "an earlier refresh failed: no image is pinned", options_.path,
                     "call refresh again, or open the store again"};
      }
    } else if (const int code = pass.begin(*environment_)) {
      return failed(code, "begin a read");
    }
    auto done = look(options_.read_only ? pinned_.get() : pass.txn(), body);
    if (done) pass.sound();
    return done;
  }

  /// Keeps the newest image, or that of a read-only store, until it is let go or the map grows.
  result<std::shared_ptr<image_pin>> keep_image() {
    if (auto bad = unusable()) return *bad;
    if (writer_thread_.load() == std::this_thread::get_id()) return history::nested_use();
    const read_places::pass pass(places_);
    if (!pass.entered()) return history::nested_use();
    if (auto bad = unusable()) return *bad;  // while waiting for a place
    auto out = std::make_shared<image_pin>();
    if (!options_.read_only) {
      const int code = environment_->begin(MDB_RDONLY, out->txn);
      if (code != 0) return failed(code, "pin an image");
    }
    pins_.add(out);
    return out;
  }

  /// Reads from an image that is kept.
  template <class Body>
  result<> read(image_pin& image, Body&& body) {
    if (auto bad = unusable()) return *bad;
    if (writer_thread_.load() == std::this_thread::get_id()) return history::nested_use();
    const read_places::pass pass(places_);
    if (!pass.entered()) return history::nested_use();
    if (auto bad = unusable()) return *bad;
    const std::lock_guard one_at_a_time(image.mutex);
    if (image.ended) return *image.ended;
    if (!options_.read_only) return look(image.txn.get(), body);
    const std::lock_guard shared(pin_mutex_);
    return look(pinned_.get(), body);
  }

  result<> sync() {
    if (auto bad = unusable()) return *bad;
    if (busy_in_this_thread()) return history::nested_use();
    if (options_.read_only || options_.mode == history::durability::commit) return {};
    // In turn with commits: one failure of the device is told to one fsync only.
    const writing turn(*this);
    if (auto bad = unusable()) return *bad;
    if (const int code = flush()) return poison_.set(lmdb_error(code, "sync", options_.path));
    return {};
  }

  /// Moves the pinned image of a read-only store to the newest one.
  result<> refresh() {
    if (auto bad = unusable()) return *bad;
    if (!options_.read_only) return {};
    if (busy_in_this_thread()) return history::nested_use();
    const writing turn(*this);
    if (auto bad = unusable()) return *bad;
    if (auto closed = close_places("the image cannot be refreshed"); !closed) return closed;
    pins_.end(expired("the store was refreshed"));
    pinned_.reset();
    auto out = pin();
    places_.open();
    return out;
  }

  [[nodiscard]] bytes place() const {
    return environment_ ? place_of_file(options_.path, environment_->data()) : bytes{};
  }

  result<lmdb_status> status() {
    if (auto bad = forked()) return *bad;
    read_places::pass pass(places_);  // keeps the map where it is; inside a read it is kept already
    if (!environment_) return closed();
    pass.rest();  // or they would count as readers
    auto out = report(*environment_, options_);
    if (out) out->poisoned = poison_.is_set();
    if (out) out->network_file_system = network_;
    return out;
  }

  /// Writes the newest image to a new store at `path`, also while others write.
  result<> copy_to(const std::string& path, bool compact) {
    if (auto bad = unusable()) return *bad;
    if (writer_thread_.load() == std::this_thread::get_id()) return history::nested_use();
    const read_places::pass pass(places_);
    if (!pass.entered()) return history::nested_use();
    if (auto made = make_directories(path); !made) return made;
    const auto target = path + "/data.mdb";
    auto out = file::open(target, O_WRONLY | O_CREAT | O_EXCL);
    if (!out) return out.error();
    int code = ::mdb_env_copyfd2(environment_->raw(), out->fd(), compact ? MDB_CP_COMPACT : 0);
    if (code == 0 && flush_to_device(out->fd()) != 0) code = errno;
    if (code != 0) {
      ::unlink(target.c_str());
      return lmdb_error(code, "copy the store", target);
    }
    flush_directory(path);
    return {};
  }

  /// Ends everything; nothing else may be running. Says whether all writes are on the device.
  result<> close() {
    if (!environment_) return {};
    result<> out;
    if (!forked()) {
      out = poison_.is_set() ? poison_.reason() : sync();
      if (lock_) lock_->leave_clean(out.has_value() && !damage_seen_);
    }
    let_go_of_images();
    environment_.reset();
    lock_.reset();
    mark_.reset();
    return out;
  }

 private:
  template <class Body>
  result<> look(MDB_txn* txn, Body&& body) {
    lmdb_view view(txn, environment_->areas());
    try {
      result<> outcome = std::invoke(body, view);
      if (!view.fault()) return outcome;
    } catch (const history::transaction_lost&) {  // there is a fault
    }
    return note(view);
  }

  void let_go_of_images() {
    pins_.end(closed());
    places_.clear();
    pinned_.reset();
  }

  error expired(const char* why) const {
    return {errc::reader_expired, std::string{"a pinned image was given up: "} + why, options_.path,
            "pin an image again"};
  }

  explicit lmdb_core(const lmdb_options& options) : options_(options) {}

  /// This thread's turn to write, sync or refresh.
  class writing {
   public:
    explicit writing(lmdb_core& core) : core_(core), lock_(core.write_mutex_) {
      core_.writer_thread_.store(std::this_thread::get_id());
      core_.places_.begin_writing();
    }
    ~writing() {
      constexpr std::size_t worth_keeping = std::size_t{1} << 20;
      if (core_.scratch_.capacity() > worth_keeping) bytes().swap(core_.scratch_);
      core_.places_.end_of_writing();
      core_.writer_thread_.store(std::thread::id{});
    }
    writing(const writing&) = delete;
    writing& operator=(const writing&) = delete;

   private:
    lmdb_core& core_;
    std::lock_guard<std::mutex> lock_;
  };

  /// Runs `body` and commits: true when that is done, false when the map was too small.
  template <class Body>
  result<bool> attempt(Body& body) {
    lmdb_transaction txn;
    if (const int code = environment_->begin(0, txn)) return failed(code, "begin a write");
    {
      lmdb_writer writer(txn.get(), environment_->areas(), scratch_);
      result<> outcome;
      try {
        outcome = std::invoke(body, writer);
      } catch (const history::transaction_lost&) {  // there is a fault
      } catch (...) {
        if (!writer.map_is_full()) throw;
      }
      if (writer.map_is_full()) return false;
      if (writer.fault()) return note(writer);
      if (!outcome) return outcome.error();
    }
    return commit(std::move(txn));
  }

  result<bool> commit(lmdb_transaction txn) {
    const int code = ::mdb_txn_commit(txn.release());
    if (code == MDB_MAP_FULL) return false;
    if (code != 0) return commit_failed(code);
    if (options_.mode == history::durability::commit) {
      if (const int flushed = flush_medium()) {
        return poison_.set(lmdb_error(flushed, "flush the device", options_.path));
      }
    }
    return true;
  }

  /// LMDB reports a full device also as EIO (a short write). Writing that failed leaves the last
  /// image as it was; a failed fsync does not say what it left, and is told to this second
  /// descriptor of the file as well.
  error commit_failed(int code) {
    constexpr std::uint64_t practically_full = std::uint64_t{1} << 20;
    const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG ||
                      (code == EIO && free_bytes(options_.path) < practically_full);
    if (code < 0 && code != MDB_PANIC) return note(code, lmdb_error(code, "commit", options_.path));
    auto out = lmdb_error(full ? ENOSPC : code, "commit", options_.path);
    const bool intact = full && !has_panicked() && flush_to_device(environment_->data().fd()) == 0;
    return intact ? out : poison_.set(std::move(out));
  }

  /// Whether LMDB could not write a meta page and refuses all work since.
  bool has_panicked() {
    lmdb_transaction probe;
    return environment_->begin(MDB_RDONLY, probe) == MDB_PANIC;
  }

  int flush() {
    if (const int code = ::mdb_env_sync(environment_->raw(), 1)) return code;
    return flush_medium();
  }

  /// LMDB 0.9 calls fsync on Apple's systems, which stops at the drive's cache.
  int flush_medium() {
#ifdef F_FULLFSYNC
    int fd = -1;
    if (const int code = ::mdb_env_get_fd(environment_->raw(), &fd)) return code;
    return flush_to_device(fd) == 0 ? 0 : errno;
#else
    return 0;
#endif
  }

  result<> close_places(const char* consequence) {
    if (places_.close(std::chrono::milliseconds(options_.growth_patience_ms))) return {};
    return error{errc::locked,
                 "a read did not end within " + std::to_string(options_.growth_patience_ms) +
                     " ms: " + consequence,
                 options_.path, "end long reads, then try again"};
  }

  result<> grow() {
    const auto present = environment_->map_bytes();
    const auto unit = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto most = options_.most_map_bytes / unit * unit;
    if (present >= most) {
      return error{errc::full,
                   "the store has reached its limit of " + std::to_string(most) + " bytes",
                   options_.path, "raise most_map_bytes, or delete records"};
    }
    const auto wanted = present > most / 2 ? most : present * 2;
    if (!lmdb_environment::can_map(wanted)) {
      return error{errc::full,
                   "no room for a map of " + std::to_string(wanted) + " bytes in this process",
                   options_.path, "raise the process' limit of address space"};
    }
    if (auto closed = close_places("the store cannot grow"); !closed) return closed;
    pins_.end(expired("the store had to grow"));
    const int code = environment_->resize(wanted);
    if (code != 0) poison_.set(lmdb_error(code, "move the map", options_.path));
    places_.open();
    if (code != 0) return poison_.reason();
    return {};
  }

  /// Begins the one read transaction of a read-only store. Nobody else may be inside.
  result<> pin() {
    for (int attempt = 0; attempt < 100; ++attempt) {
      int code = environment_->begin(MDB_RDONLY, pinned_);
      if (code == MDB_MAP_RESIZED) {  // another process grew it: adopt its size
        code = environment_->resize(0);
        if (code == 0) continue;
        return poison_.set(lmdb_error(code, "adopt the map", options_.path));
      }
      if (code == 0 && !environment_->complete()) {
        code = environment_->bind(std::move(pinned_));
        if (code == 0 && environment_->complete()) continue;
        if (code == 0) code = environment_->begin(MDB_RDONLY, pinned_);  // still empty
      }
      if (code != 0) return failed(code, "pin an image");
      return {};
    }
    return error{errc::io, "the store grows faster than it can be opened", options_.path,
                 "try again"};
  }

  std::optional<error> forked() const {
    if (process_.is_ours()) return std::nullopt;
    return error{errc::poisoned,
                 "the store was opened by process " + std::to_string(process_.process()) +
                     " before it forked",
                 options_.path, "open it in the process that uses it"};
  }

  error closed() const {
    return {errc::closed, "the store is closed", options_.path, "open it again"};
  }

  [[nodiscard]] bool usable() const noexcept {
    return process_.is_ours() && environment_ != nullptr && !poison_.is_set();
  }
  std::optional<error> unusable() const {
    if (usable()) return std::nullopt;
    if (auto out = forked()) return out;
    if (!environment_) return closed();
    return poison_.reason();
  }

  [[nodiscard]] bool busy_in_this_thread() const {
    return writer_thread_.load() == std::this_thread::get_id() || places_.holds_this_thread();
  }

  error failed(int code, const char* call) {
    return note(code, lmdb_error(code, call, options_.path));
  }
  error note(const lmdb_view& view) { return note(view.fault_code(), *view.fault()); }
  /// Remembers what `code` says about the store.
  error note(int code, error e) {
    if (means_damage(code)) damage_seen_ = true;
    return code == MDB_PANIC ? poison_.set(std::move(e)) : e;
  }

  lmdb_options options_;
  std::string network_;  // what network file system it is on, if it is
  fork_mark process_;
  std::optional<process_mark> mark_;
  std::optional<writer_lock> lock_;
  std::unique_ptr<lmdb_environment> environment_;

  read_places places_;
  std::mutex write_mutex_;
  std::atomic<std::thread::id> writer_thread_{};
  bytes scratch_;

  pin_list pins_;
  std::mutex pin_mutex_;
  lmdb_transaction pinned_;

  poison poison_;
  std::atomic<bool> damage_seen_{false};
};

}  // namespace joinery::store::detail
