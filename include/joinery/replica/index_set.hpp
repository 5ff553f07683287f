// index_set: the secondary indexes of a replica.
//
// Purpose: keeps, in the storage, the entries of the stored records, and in memory those of records
// that are newer; builds an index that a program declares for the first time, and drops one that it
// declares no more.
// Invariants: entries are written in the transaction that writes their record, so the stored index
// always says what the stored records say, also after a crash. Building and dropping go in bounded
// transactions and resume where they stopped.
// Stored: area `indexes` (state/index_key.hpp), each entry sealed; `meta` has "indexes" (of
// tables that stay on the device: "local indexes", with ids from 2^31 on): sealed
// (varint id, u8 complete, block table, block field, varint shape, block built-up-to key)*.
// Thread-safety: none; guarded by its owner.
#pragma once

#include "joinery/history/snapshot.hpp"
#include "joinery/schema/index.hpp"
#include "joinery/state/index_overlay.hpp"
#include "joinery/state/index_values.hpp"

namespace joinery::detail {

/// What reading a record's values takes.
struct record_vocabulary {
  const state::name_table& names;
  const causal::roster& replicas;
};

struct secondary_index {
  std::uint32_t id = 0;
  schema::index_descriptor what;
  bool complete = false;
  bytes built;  ///< while incomplete: the key of the last record that is in it
  state::index_overlay overlay;

  [[nodiscard]] std::vector<bytes> values(bytes_view packed, record_vocabulary v) const {
    return state::index_values(packed, v.names.find(what.field), what.type, v.replicas);
  }
};

/// Which records an index set is of, under which name its list is stored, and its first id: two
/// sets share `area::indexes`.
struct index_place {
  history::area records = history::area::records;
  std::string_view list = "indexes";
  std::uint32_t first_id = 1;
};
inline constexpr index_place local_index_place{history::area::local, "local indexes", 0x80000000};

class index_set {
 public:
  index_set() = default;
  explicit index_set(const index_place& place) : place_(place) {}

  static constexpr std::size_t step_entries = 1024;

  [[nodiscard]] bool empty() const noexcept { return indexes_.empty(); }
  [[nodiscard]] const std::optional<error>& last_error() const noexcept { return last_error_; }
  /// The index of a field; null when the program declares none.
  [[nodiscard]] secondary_index* find(std::string_view table, std::string_view field,
                                      crdt::shape type) {
    for (auto& i : indexes_)
      if (i.what.table == table && i.what.field == field && i.what.type == type) return &i;
    return nullptr;
  }

  /// Those that queries cannot use.
  [[nodiscard]] std::vector<schema::index_descriptor> incomplete() const {
    std::vector<schema::index_descriptor> out;
    for (const auto& i : indexes_)
      if (!i.complete) out.push_back(i.what);
    return out;
  }

  /// Takes up the declared indexes. What cannot be built now is used incomplete (queries then walk
  /// the table) and tried again at the next opening. Call it before the log is replayed.
  template <history::storage S>
  result<> open(S& storage, const std::vector<schema::index_descriptor>& declared,
                record_vocabulary v) {
    std::vector<secondary_index> listed;
    auto read = storage.read([&](auto& view) -> result<> {
      auto there = read_list(view);
      if (!there) return there.error();
      listed = std::move(*there);
      return {};
    });
    if (!read) return read;
    const auto before = listed.size();
    bool known = true;
    for (const auto& d : declared) {
      const auto same = [&](const auto& i) { return i.what == d; };
      if (std::any_of(listed.begin(), listed.end(), same)) continue;
      known = false;
      std::uint32_t id = place_.first_id;
      for (const auto& i : listed) id = std::max(id, i.id + 1);
      listed.push_back({id, d, false, {}, {}});
    }
    for (auto& i : listed) {
      const bool wanted = std::find(declared.begin(), declared.end(), i.what) != declared.end();
      (wanted ? indexes_ : dropped_).push_back(std::move(i));
    }
    if (storage.read_only()) {
      dropped_.clear();
      return {};
    }
    if (before == 0 && declared.empty()) return {};
    auto done = known ? result<>{} : storage.write([&](auto& w) -> result<> {
      write_list(w);
      return {};
    });
    if (done) done = drop_undeclared(storage);
    for (std::size_t n = 0; n < indexes_.size() && done; ++n) done = build(storage, n, v);
    if (!done) last_error_ = done.error();
    return {};
  }

  /// To be called in the transaction that stores `packed` as the record's new bytes, before it
  /// does.
  template <history::storage_writer W>
  void store(W& to, record_vocabulary v, state::name_index table, bytes_view key,
             bytes_view packed) const {
    if (state::is_parts(table)) return;
    std::optional<bytes> old;
    for (const auto& i : indexes_) {
      if (i.what.table != v.names[table]) continue;
      if (!old) old = stored_bytes(to, table, key);
      const auto before = i.values(*old, v);
      const auto after = i.values(packed, v);
      for (const auto& value : before)
        if (!std::binary_search(after.begin(), after.end(), value))
          to.erase(history::area::indexes, state::index_storage_entry(i.id, value, key).key);
      for (const auto& value : after)
        if (!std::binary_search(before.begin(), before.end(), value)) put(to, i.id, value, key);
    }
  }
  /// The record is newer in memory than in the storage.
  void changed(record_vocabulary v, state::name_index table, bytes_view key, bytes_view packed) {
    if (state::is_parts(table)) return;
    for (auto& i : indexes_)
      if (i.what.table == v.names[table]) i.overlay.set(key, i.values(packed, v));
  }
  /// The record is in the storage as it is in memory.
  void settled(const state::name_table& names, state::name_index table, bytes_view key) {
    if (state::is_parts(table)) return;
    for (auto& i : indexes_)
      if (i.what.table == names[table]) i.overlay.erase(key);
  }

  /// An entry of `index` is damaged: from now on queries walk the table, and the index is built
  /// anew at the next opening.
  template <history::storage S>
  void give_up(S& storage, secondary_index& index, error why) {
    index.complete = false;
    last_error_ = std::move(why);
    if (storage.read_only()) return;
    static_cast<void>(storage.write([&](auto& w) -> result<> {
      write_list(w, index.id);
      return {};
    }));
  }

 private:
  template <class View>
  bytes stored_bytes(View& view, state::name_index table, bytes_view key) const {
    const auto full = history::record_key(table, key);
    const auto value = view.get(place_.records, full);
    if (!value) return {};
    // What a damaged record was listed under is not known; its entries stay, and readers see that
    // the record does not bear them out.
    const auto record = history::open_record(full, *value, place_.records);
    return record ? bytes{record->packed} : bytes{};
  }
  template <class W>
  static void put(W& to, std::uint32_t id, bytes_view value, bytes_view key) {
    const auto e = state::index_storage_entry(id, value, key);
    history::put_sealed(to, history::area::indexes, e.key, e.content);
  }

  template <class View>
  result<std::vector<secondary_index>> read_list(View& view) const {
    std::vector<secondary_index> out;
    auto content = history::get_sealed(view, history::area::meta, place_.list);
    if (!content) return content.error();
    byte_reader in{content->value_or(bytes_view{})};
    while (!in.at_end()) {
      secondary_index i;
      i.id = static_cast<std::uint32_t>(in.varint_up_to(0xFFFFFFFF));
      i.complete = in.u8() != 0;
      i.what.table = std::string{in.block()};
      i.what.field = std::string{in.block()};
      i.what.type = crdt::shape::from_code(static_cast<std::uint32_t>(in.varint_up_to(0xFFFFFFFF)));
      i.built = bytes{in.block()};
      if (in.ok()) out.push_back(std::move(i));
    }
    if (!in.ok())
      return error{errc::malformed, "the list of indexes is not readable",
                   "meta entry " + std::string{place_.list}, "restore the store from a backup"};
    return out;
  }
  // `disowned`: an index that is to belong to no field.
  template <class W>
  void write_list(W& to, std::uint32_t disowned = 0) const {
    bytes content;
    byte_writer w{content};
    for (const auto* list : {&indexes_, &dropped_}) {
      for (const auto& i : *list) {
        const bool ours = i.id != disowned;
        w.varint(i.id);
        w.u8(i.complete ? 1 : 0);
        w.block(ours ? i.what.table : std::string{});
        w.block(ours ? i.what.field : std::string{});
        w.varint(i.what.type.code());
        w.block(i.built);
      }
    }
    history::put_sealed(to, history::area::meta, place_.list, content);
  }

  template <history::storage S>
  result<> drop_undeclared(S& storage) {
    while (!dropped_.empty()) {
      const auto gone = std::move(dropped_.back());
      dropped_.pop_back();
      for (bool more = true; more;) {
        auto done = storage.write([&](auto& w) -> result<> {
          std::vector<bytes> keys;
          const auto prefix = state::detail::index_prefix(gone.id);
          w.scan(history::area::indexes, prefix, [&](bytes_view key, bytes_view) {
            if (!key.starts_with(prefix) || keys.size() == step_entries) return false;
            keys.emplace_back(key);
            return true;
          });
          for (const auto& key : keys) w.erase(history::area::indexes, key);
          more = keys.size() == step_entries;
          if (!more) write_list(w);
          return {};
        });
        if (!done) return done;
      }
    }
    return {};
  }

  // Lists the stored records in an index that is not complete. It stays so while one has the field
  // apart from it: see `large_fields::gather_indexed`.
  template <history::storage S>
  result<> build(S& storage, std::size_t which, record_vocabulary v) {
    auto& index = indexes_[which];
    const auto table = v.names.find(index.what.table);
    auto after = index.built;
    bool apart = false;
    for (bool over = index.complete; !over;) {
      auto next = after;
      bool met = apart;
      auto done = storage.write([&](auto& w) -> result<> {
        std::vector<std::pair<bytes, std::vector<bytes>>> found;
        if (table) found = records_after(w, *table, after, index, v, met);
        for (const auto& [key, values] : found)
          for (const auto& value : values) put(w, index.id, value, key);
        if (!found.empty()) next = found.back().first;
        over = found.size() < step_entries;
        index.complete = over && !met;
        index.built = met ? bytes{} : next;
        write_list(w);
        return {};
      });
      if (!done) {
        index.built = apart ? bytes{} : after;
        index.complete = false;
        return done;
      }
      after = std::move(next);
      apart = met;
    }
    return {};
  }
  template <class View>
  std::vector<std::pair<bytes, std::vector<bytes>>> records_after(
      View& view, state::name_index table, const bytes& after, const secondary_index& index,
      record_vocabulary v, bool& apart) const {
    std::vector<std::pair<bytes, std::vector<bytes>>> out;
    const auto field = v.names.find(index.what.field);
    const auto prefix = history::index_key(table);
    const auto from = after.empty() ? prefix : prefix + after + '\0';
    view.scan(place_.records, from, [&](bytes_view full, bytes_view value) {
      if (!full.starts_with(prefix) || out.size() == step_entries) return false;
      const auto record = history::open_record(full, value, place_.records);
      const auto packed = record ? record->packed : bytes_view{};
      if (field &&
          state::find_field(crdt::read_cell(packed).value, {*field, index.what.type}).parts)
        apart = true;
      out.emplace_back(full.substr(prefix.size()), index.values(packed, v));
      return true;
    });
    return out;
  }

  index_place place_;
  std::vector<secondary_index> indexes_;
  std::vector<secondary_index> dropped_;
  std::optional<error> last_error_;
};

}  // namespace joinery::detail
