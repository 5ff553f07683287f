// Each call of LMDB's may fail, with whatever LMDB says: the error is ours and says what it means,
// what was acknowledged is there afterwards, and what was refused is not.
//
// LMDB's functions are replaced in this program by ones that can fail when told to.
#include <dlfcn.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <map>

#include "tests/store/support.hpp"

namespace {

std::atomic<int> calls_left{0};  // until the one that fails; 0: none does
std::atomic<int> failing_code{0};

bool is_due() { return calls_left > 0 && --calls_left == 0; }

/// LMDB's own function.
template <class F>
F* original(F*, const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
int mdb_env_create(MDB_env** env) {
  static const auto real = original(&mdb_env_create, "mdb_env_create");
  return is_due() ? failing_code.load() : real(env);
}
int mdb_env_set_maxdbs(MDB_env* env, MDB_dbi n) {
  static const auto real = original(&mdb_env_set_maxdbs, "mdb_env_set_maxdbs");
  return is_due() ? failing_code.load() : real(env, n);
}
int mdb_env_set_mapsize(MDB_env* env, size_t size) {
  static const auto real = original(&mdb_env_set_mapsize, "mdb_env_set_mapsize");
  return is_due() ? failing_code.load() : real(env, size);
}
int mdb_env_open(MDB_env* env, const char* path, unsigned flags, mdb_mode_t mode) {
  static const auto real = original(&mdb_env_open, "mdb_env_open");
  return is_due() ? failing_code.load() : real(env, path, flags, mode);
}
int mdb_env_info(MDB_env* env, MDB_envinfo* out) {
  static const auto real = original(&mdb_env_info, "mdb_env_info");
  return is_due() ? failing_code.load() : real(env, out);
}
int mdb_env_stat(MDB_env* env, MDB_stat* out) {
  static const auto real = original(&mdb_env_stat, "mdb_env_stat");
  return is_due() ? failing_code.load() : real(env, out);
}
int mdb_env_sync(MDB_env* env, int force) {
  static const auto real = original(&mdb_env_sync, "mdb_env_sync");
  return is_due() ? failing_code.load() : real(env, force);
}
int mdb_env_copyfd2(MDB_env* env, mdb_filehandle_t fd, unsigned flags) {
  static const auto real = original(&mdb_env_copyfd2, "mdb_env_copyfd2");
  return is_due() ? failing_code.load() : real(env, fd, flags);
}
int mdb_reader_check(MDB_env* env, int* dead) {
  static const auto real = original(&mdb_reader_check, "mdb_reader_check");
  return is_due() ? failing_code.load() : real(env, dead);
}
int mdb_reader_list(MDB_env* env, MDB_msg_func* each, void* context) {
  static const auto real = original(&mdb_reader_list, "mdb_reader_list");
  return is_due() ? failing_code.load() : real(env, each, context);
}
int mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned flags, MDB_txn** out) {
  static const auto real = original(&mdb_txn_begin, "mdb_txn_begin");
  return is_due() ? failing_code.load() : real(env, parent, flags, out);
}
int mdb_txn_renew(MDB_txn* txn) {
  static const auto real = original(&mdb_txn_renew, "mdb_txn_renew");
  return is_due() ? failing_code.load() : real(txn);
}
int mdb_txn_commit(MDB_txn* txn) {
  static const auto real = original(&mdb_txn_commit, "mdb_txn_commit");
  if (!is_due()) return real(txn);
  ::mdb_txn_abort(txn);  // as LMDB does
  return failing_code;
}
int mdb_dbi_open(MDB_txn* txn, const char* name, unsigned flags, MDB_dbi* out) {
  static const auto real = original(&mdb_dbi_open, "mdb_dbi_open");
  return is_due() ? failing_code.load() : real(txn, name, flags, out);
}
int mdb_dbi_flags(MDB_txn* txn, MDB_dbi db, unsigned* out) {
  static const auto real = original(&mdb_dbi_flags, "mdb_dbi_flags");
  return is_due() ? failing_code.load() : real(txn, db, out);
}
int mdb_get(MDB_txn* txn, MDB_dbi db, MDB_val* key, MDB_val* value) {
  static const auto real = original(&mdb_get, "mdb_get");
  return is_due() ? failing_code.load() : real(txn, db, key, value);
}
int mdb_put(MDB_txn* txn, MDB_dbi db, MDB_val* key, MDB_val* value, unsigned flags) {
  static const auto real = original(&mdb_put, "mdb_put");
  return is_due() ? failing_code.load() : real(txn, db, key, value, flags);
}
int mdb_del(MDB_txn* txn, MDB_dbi db, MDB_val* key, MDB_val* value) {
  static const auto real = original(&mdb_del, "mdb_del");
  return is_due() ? failing_code.load() : real(txn, db, key, value);
}
int mdb_cursor_open(MDB_txn* txn, MDB_dbi db, MDB_cursor** out) {
  static const auto real = original(&mdb_cursor_open, "mdb_cursor_open");
  return is_due() ? failing_code.load() : real(txn, db, out);
}
int mdb_cursor_get(MDB_cursor* cursor, MDB_val* key, MDB_val* value, MDB_cursor_op op) {
  static const auto real = original(&mdb_cursor_get, "mdb_cursor_get");
  return is_due() ? failing_code.load() : real(cursor, key, value, op);
}
}

using namespace store_tests;

namespace {

/// What must be under some keys of the records, if one knows it.
using content = std::map<std::string, std::string>;

template <class R>
bool note(const R& done) {
  if (!done) CHECK(name_of(done.error().code) != "unknown");
  if (!done) CHECK_FALSE(done.error().what.empty());
  return done.has_value();
}

void change(lmdb& s, const std::string& key, const std::string& value, content& known) {
  if (note(put(s, area::records, key, value))) known[key] = value;
}
void read_all(lmdb& s) {
  const auto look = [](auto& v) -> result<> {
    static_cast<void>(v.get(area::records, "a"));
    static_cast<void>(v.get(area::log, position(1)));
    v.scan(area::records, {}, [](auto, auto) { return true; });
    v.scan_back(area::records, "b", [](auto, auto) { return true; });
    v.scan_back(area::log, position(~std::uint64_t{0}), [](auto, auto) { return true; });
    static_cast<void>(v.last(area::log));
    return {};
  };
  note(s.read(look));
  auto kept = s.pin();
  if (note(kept)) note(kept->read(look));
}

/// Everything that a store is asked for.
void live(const lmdb::options& how, content& known, const std::string& copy) {
  auto opened = lmdb::open(how);
  if (!note(opened)) return;
  auto& s = *opened;
  read_all(s);
  change(s, "a", "new", known);
  note(s.status());
  const auto more = s.write([&](auto& w) -> result<> {
    for (std::uint64_t n = 3; n < 6; ++n) w.put(area::log, position(n), "entry");
    w.put(area::log, position(5), "again");
    w.erase(area::records, "gone");
    w.scan(area::records, {}, [&](bytes_view key, bytes_view) {
      if (key == "a") w.put(area::records, "b", "while it is walked");
      return true;
    });
    return {};
  });
  if (note(more)) known["b"] = "while it is walked", known.erase("gone");
  const bytes large(std::size_t{1} << 18, 'x');  // it has to grow
  change(s, "large", large, known);
  change(s, "c", "small", known);
  note(s.sync());
  read_all(s);
  note(s.refresh());
  note(s.copy_to(copy));
  note(s.close());
}
void look_on(const std::string& path) {
  auto opened = lmdb::open(reading(path));
  if (!note(opened)) return;
  read_all(*opened);
  note(opened->refresh());
  read_all(*opened);
  note(opened->status());
}

void prepare(const std::string& path, content& known) {
  auto s = lmdb::open(at(path)).value();
  for (const auto* key : {"a", "b", "gone"}) change(s, key, "old", known);
  put(s, area::log, position(1), "one").value();
  put(s, area::log, position(2), "two").value();
  s.close().value();
}

}  // namespace

TEST_CASE("whatever a call of LMDB's gives, nothing acknowledged is lost") {
  // Where there is memory to be had as a file system, no time goes into syncing.
  const bool in_memory = ::access("/dev/shm", W_OK) == 0;
  const temporary_directory home{in_memory ? "/dev/shm" : std::filesystem::temp_directory_path()};
  content before;
  prepare(home.path("prepared"), before);
  int trial = 0, failed = 0;
  for (const int code : {EIO, MDB_CORRUPTED, ENOSPC, MDB_PANIC, MDB_MAP_RESIZED, MDB_READERS_FULL,
                         MDB_VERSION_MISMATCH, MDB_BAD_VALSIZE, MDB_TXN_FULL, MDB_BAD_RSLOT}) {
    // The first at every call, the others here and there: what they mean is one function's matter.
    const int stride = code == EIO && !JOINERY_SANITIZED ? 1 : 7;
    for (int nth = 1 + trial % stride;; nth += stride) {
      CAPTURE(code, nth);
      const auto path = home.path(std::to_string(++trial));
      std::filesystem::copy(home.path("prepared"), path);
      auto how = at(path);
      how.mode = trial % 2 == 0 ? durability::commit : durability::interval;
      how.initial_map_bytes = std::size_t{1} << 16;
      how.growth_patience_ms = 50;
      auto known = before;
      failing_code = code;
      calls_left = nth;
      live(how, known, path + " copied");
      look_on(path);
      const bool reached = calls_left == 0;
      calls_left = 0;
      failed += reached ? 1 : 0;
      auto s = lmdb::open(at(path)).value();
      for (const auto* key : {"a", "b", "gone", "large", "c"}) {
        CAPTURE(key);
        CHECK(get(s, area::records, key) == (known.contains(key) ? known[key] : "(none)"));
      }
      s.close().value();
      std::filesystem::remove_all(path);
      std::filesystem::remove_all(path + " copied");
      if (!reached) break;
    }
  }
  CHECK(failed > 200);
}
