// What the body of a read or write of `lmdb` sees.
//
// Purpose: model `storage_view` and `storage_writer` over one LMDB transaction.
// Invariants: the first fault is kept; from then on changes are ignored and reads throw
// `transaction_lost` (LMDB refuses a transaction after MDB_MAP_FULL). Nothing that this gives
// outlives the transaction.
// Thread-safety: used by the thread that runs the body.
#pragma once

#include <functional>

#include "joinery/store/detail/lmdb_error.hpp"
#include "joinery/store/detail/lmdb_keys.hpp"

namespace joinery::store::detail {

class lmdb_view {
 public:
  using area = history::area;

  lmdb_view(MDB_txn* txn, const lmdb_areas& areas) noexcept : txn_(txn), areas_(areas) {}
  lmdb_view(const lmdb_view&) = delete;
  lmdb_view& operator=(const lmdb_view&) = delete;

  std::optional<bytes_view> get(area a, bytes_view key) {
    require_alive();
    const auto db = database(a);
    std::optional<lmdb_key> number;
    if (!db || key.empty() || key.size() > history::max_key_bytes) return std::nullopt;
    auto k = to_val(key);
    if (a == area::log) {
      number = lmdb_key::exactly(a, key);
      if (!number) return std::nullopt;
      k = number->val();
    }
    MDB_val v{};
    if (!found(::mdb_get(txn_, *db, &k, &v), "mdb_get", a, key)) return std::nullopt;
    return to_view(v);
  }

  /// `each` may change the storage through the writer; entries put ahead of the scan are visited.
  template <class Each>
  void scan(area a, bytes_view from, Each&& each) {
    const auto cursor = open_cursor(a);
    auto first = lmdb_key::at_least(a, from);
    if (!cursor || !first) return;
    auto k = first->val();
    MDB_val v{};
    bytes here;
    int code = ::mdb_cursor_get(cursor.get(), &k, &v, k.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
    while (found(code, "mdb_cursor_get", a, from)) {
      const auto before = changes_;
      if (writes_) here.assign(to_view(k));
      if (!std::invoke(each, keys_.external(a, k), to_view(v))) return;
      require_alive();
      if (before == changes_) {
        code = ::mdb_cursor_get(cursor.get(), &k, &v, MDB_NEXT);
        continue;
      }
      k = to_val(here);  // pages may have moved: find the place again
      code = ::mdb_cursor_get(cursor.get(), &k, &v, MDB_SET_RANGE);
      if (code == 0 && to_view(k) == here) code = ::mdb_cursor_get(cursor.get(), &k, &v, MDB_NEXT);
    }
  }

  template <class Each>
  void scan_back(area a, bytes_view below, Each&& each) {
    const auto cursor = open_cursor(a);
    if (!cursor) return;
    auto end = lmdb_key::at_least(a, below);
    auto k = end ? end->val() : MDB_val{};
    MDB_val v{};
    if (end && k.mv_size == 0) return;  // nothing is below the empty key
    int code = end ? ::mdb_cursor_get(cursor.get(), &k, &v, MDB_SET_RANGE) : MDB_NOTFOUND;
    const auto step = code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV;
    if (code == 0 || code == MDB_NOTFOUND) code = ::mdb_cursor_get(cursor.get(), &k, &v, step);
    while (found(code, "mdb_cursor_get", a, below)) {
      if (!std::invoke(each, keys_.external(a, k), to_view(v))) return;
      code = ::mdb_cursor_get(cursor.get(), &k, &v, MDB_PREV);
    }
  }

  std::optional<std::pair<bytes_view, bytes_view>> last(area a) {
    const auto cursor = open_cursor(a);
    if (!cursor) return std::nullopt;
    MDB_val k{}, v{};
    const int code = ::mdb_cursor_get(cursor.get(), &k, &v, MDB_LAST);
    if (!found(code, "mdb_cursor_get", a, {})) return std::nullopt;
    return std::pair{keys_.external(a, k), to_view(v)};
  }

  /// The first fault, if any; and LMDB's code for it, or 0 when the fault is not LMDB's.
  [[nodiscard]] const std::optional<error>& fault() const noexcept { return failed_; }
  [[nodiscard]] int fault_code() const noexcept { return code_; }

 protected:
  lmdb_view(MDB_txn* txn, const lmdb_areas& areas, bool writes) noexcept
      : txn_(txn), areas_(areas), writes_(writes) {}

  [[nodiscard]] std::optional<MDB_dbi> database(area a) const noexcept {
    return areas_[static_cast<std::size_t>(a)];
  }

  void require_alive() const {
    if (failed_) throw history::transaction_lost{};
  }

  void fail(int code, const char* call, area a, bytes_view key) {
    failed_ = lmdb_error(code, call, history::place_of(a, key));
    code_ = code;
  }

  MDB_txn* txn_;
  const lmdb_areas& areas_;
  std::optional<error> failed_;
  std::uint64_t changes_ = 0;

 private:
  lmdb_cursor open_cursor(area a) {
    require_alive();
    const auto db = database(a);
    MDB_cursor* out = nullptr;
    if (!db) return nullptr;
    found(::mdb_cursor_open(txn_, *db, &out), "mdb_cursor_open", a, {});
    return lmdb_cursor(out);
  }

  bool found(int code, const char* call, area a, bytes_view key) {
    if (code != 0 && code != MDB_NOTFOUND) fail(code, call, a, key);
    require_alive();
    return code == 0;
  }

  int code_ = 0;
  bool writes_ = false;
  lmdb_keys keys_;
};

class lmdb_writer : public lmdb_view {
 public:
  /// `scratch` is reused from write to write.
  lmdb_writer(MDB_txn* txn, const lmdb_areas& areas, bytes& scratch) noexcept
      : lmdb_view(txn, areas, true), scratch_(scratch) {}

  /// Bytes of the log are worth the work of packing them.
  [[nodiscard]] static constexpr bool packs_log() noexcept { return true; }

  void put(area a, bytes_view key, bytes_view value) {
    if (failed_ || (failed_ = history::bad_entry(a, key, value))) return;
    auto exact = lmdb_key::exactly(a, key);
    if (!exact) return fail(MDB_BAD_VALSIZE, "put", a, key);
    scratch_.assign(key).append(value);  // they may be views of pages that this very put moves
    auto k = a == area::log ? exact->val() : to_val(bytes_view(scratch_).substr(0, key.size()));
    auto v = to_val(bytes_view(scratch_).substr(key.size()));
    ++changes_;
    if (a != area::log) return check(::mdb_put(txn_, *database(a), &k, &v, 0), "mdb_put", a, key);
    int code = ::mdb_put(txn_, *database(a), &k, &v, MDB_APPEND);
    if (code ==
        MDB_KEYEXIST) {  // not above the last one: only an existing entry may be written again
      if (!get(a, bytes_view(scratch_).substr(0, history::log_key_bytes))) {
        failed_ = history::log_not_appended(key);
        return;
      }
      code = ::mdb_put(txn_, *database(a), &k, &v, 0);
    }
    check(code, "mdb_put", a, key);
  }

  void erase(area a, bytes_view key) {
    if (failed_ || (failed_ = history::bad_key(a, key))) return;
    auto exact = lmdb_key::exactly(a, key);
    if (!exact) return;
    scratch_.assign(key);
    auto k = a == area::log ? exact->val() : to_val(scratch_);
    ++changes_;
    const int code = ::mdb_del(txn_, *database(a), &k, nullptr);
    if (code != MDB_NOTFOUND) check(code, "mdb_del", a, key);
  }

  /// The map is too small: the transaction is dead, and the write must run again in a larger one.
  [[nodiscard]] bool map_is_full() const noexcept { return fault_code() == MDB_MAP_FULL; }

 private:
  void check(int code, const char* call, area a, bytes_view key) {
    if (code != 0) fail(code, call, a, key);
  }

  bytes& scratch_;
};

}  // namespace joinery::store::detail
