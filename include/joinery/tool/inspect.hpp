// inspect: what a store holds, without the program that wrote it.
//
// Purpose: prints identity, origins, log, snapshot, tables as the space describes them, records as
// JSON, conflicts, and what waits or is damaged. For people, for support, and for whoever has lost
// the structs.
// Invariants: reads only; one damaged entry hides nothing else; what comes out holds no control
// characters.
// Thread-safety: as the engine.
#pragma once

#include <ostream>
#include <set>

#include "joinery/replica/engine.hpp"
#include "joinery/tool/inspect_local.hpp"

namespace joinery::tool {

struct inspect_options {
  std::string table{};             ///< shows this table's records; empty: an overview
  std::optional<bytes> key{};      ///< shows this record alone, deleted ones too
  std::size_t max_records = 1000;  ///< how many records are shown
};

namespace detail {

template <class Storage>
class inspection {
 public:
  inspection(engine<Storage>& e, std::ostream& out, const inspect_options& options)
      : e_(e), out_(out), options_(options) {}

  result<> run() {
    if (options_.key) return one_record();
    if (!options_.table.empty()) return one_table();
    identity();
    origins();
    if (auto done = tables(); !done) return done;
    inspect_local_tables(e_.local(), out_);
    return inspect_storage(e_.storage(), out_);
  }

 private:
  template <class T>
  void line(std::string_view name, const T& value) {
    out_ << name << std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') << value << "\n";
  }

  void identity() {
    const auto s = e_.status();
    line("space", s.space.hex());
    line("replica", s.self.hex());
    line("changesets", s.changesets);
    line("durable", s.durable);
    line("in the snapshot", s.snapshot);
    line("held", s.held);
    line("names", e_.names().size());
    if (s.last_snapshot_error) line("snapshot error", printable(s.last_snapshot_error->text()));
    const auto conflicts = e_.conflicts();
    if (conflicts)
      line("conflicts", conflicts->size());
    else
      line("conflicts", printable(conflicts.error().text()));
    const auto digest = e_.digest();
    line("digest", digest ? digest->hex() : printable(digest.error().text()));
  }

  void origins() {
    out_ << "origins\n";
    for (const auto& h : e_.heads())
      out_ << "  " << h.origin.hex() << "  seq " << h.seq << "  chain "
           << h.chain.hex().substr(0, 16) << (h.origin == e_.self() ? "  (this replica)" : "")
           << "\n";
  }

  // Every name that is a table: described ones, and those with records.
  result<> tables() {
    out_ << "tables\n";
    std::map<std::string, std::optional<described_table>> all;
    if (auto described = e_.described_tables())
      for (auto& table : *described) {
        auto name = table.name;
        all[name] = std::move(table);
      }
    else
      line("descriptors", printable(described.error().text()));
    for (state::name_index i = 0; i < e_.names().size(); ++i) {
      bool any = false;
      const auto walked = e_.for_each(e_.names()[i], {}, [&](bytes_view, bytes_view) {
        any = true;
        return false;
      });
      if (!walked && !damage(walked.error())) return walked;
      if (any || !walked) all.try_emplace(std::string{e_.names()[i]});
    }
    for (const auto& [name, described] : all) {
      std::size_t living = 0, deleted = 0, damaged = 0;
      auto done = each_record(name, [&](bytes_view, const result<bytes_view>& packed) {
        if (!packed)
          ++damaged;
        else
          ++(crdt::read_cell(*packed).alive() ? living : deleted);
        return true;
      });
      if (!done) return done;
      out_ << " " << json_string(name) << "  " << living << " records, " << deleted << " deleted";
      if (damaged > 0) out_ << ", " << damaged << " damaged";
      if (described) {
        out_ << "; " << (described->rule ? schema::text_of(*described->rule) : "no delete rule");
        for (const auto rank : described->ranks) out_ << ", rank " << rank;
      }
      out_ << "\n";
      if (described) print_described(out_, *described);
    }
    return {};
  }

  result<> one_table() {
    const auto described = e_.described_tables();
    if (described)
      for (const auto& table : *described)
        if (table.name == options_.table) print_described(out_, table);
    std::size_t shown = 0;
    bool more = false;
    auto done = each_record(options_.table, [&](bytes_view key, const result<bytes_view>& packed) {
      if (packed && !crdt::read_cell(*packed).alive()) return true;
      if (shown == options_.max_records) return more = true, false;
      ++shown;
      print(key, packed);
      return true;
    });
    if (done && more) out_ << "… and more\n";
    if (done) inspect_local_table(e_.local(), out_, options_.table, options_.max_records);
    return done;
  }

  result<> one_record() {
    const auto kept = e_.whole_record(options_.table, *options_.key);
    const auto packed = view_of(kept);
    const bool local = inspect_local_record(e_.local(), out_, options_.table, *options_.key);
    if (packed && packed->empty() && local) return {};
    if (packed && packed->empty())
      return error{errc::not_found, "there is no such record",
                   options_.table + "[" + json_key(*options_.key) + "]",
                   "inspect the table to see its keys"};
    print(*options_.key, packed);
    if (!packed) return {};
    const auto no_parts = [](const auto&, auto&&) { return result<>{}; };  // it is in one piece
    return state::conflicts_of(options_.table, *options_.key, *packed, e_.names(), e_.replicas(),
                               no_parts, [&](const state::conflict& c) { print(c); });
  }

  template <class Bytes>
  static result<bytes_view> view_of(const result<Bytes>& kept) {
    if (!kept) return kept.error();
    return bytes_view{*kept};
  }

  void print(bytes_view key, const result<bytes_view>& packed) {
    if (packed)
      out_ << json_record(key, *packed, e_.names(), e_.replicas()) << "\n";
    else
      out_ << "{\"key\":" << json_key(key) << ",\"damaged\":" << json_string(packed.error().text())
           << "}\n";
  }
  void print(const state::conflict& c) {
    out_ << "conflict " << json_string(c.field);
    for (const auto& step : c.path) out_ << "[" << json_value(step) << "]";
    out_ << "\n";
    for (const auto& w : c.writes)
      out_ << "  " << (w.shown ? "* " : "  ") << json_value(w.value) << "  by " << w.by.hex()
           << "  at " << causal::hlc_ms(w.time) << "  rank " << w.rank << "\n";
  }

  /// `each(key, packed or error) -> bool` over a table in key order; what was set aside for damage
  /// comes after the rest.
  template <class F>
  result<> each_record(std::string_view table, F&& each) {
    bytes from;
    for (;;) {
      bool stopped = false;
      const auto begun = from;
      auto walked = e_.for_each(table, from, [&](bytes_view key, bytes_view packed) {
        from = bytes{key} + '\0';
        stopped = !each(key, result<bytes_view>{packed});
        return !stopped;
      });
      if (walked || stopped) return {};
      if (walked.error().code == errc::quarantined) return each_missing(table, begun, each);
      // Damage ahead that cannot be set aside: one record at a time, as far as a walk would have
      // read.
      const auto keys = keys_from(table, from, 256);
      if (keys.empty()) return damage(walked.error()) ? result<>{} : walked;
      for (const auto& key : keys) {
        from = key + '\0';
        const auto kept = e_.record(table, key);
        const auto packed = view_of(kept);
        if (packed && packed->empty()) continue;
        if (!each(bytes_view{key}, packed)) return {};
      }
    }
  }

  template <class F>
  result<> each_missing(std::string_view table, const bytes& from, F&& each) {
    const auto missing = e_.list_wanted();
    if (!missing) return missing.error();
    for (const auto& w : *missing) {
      if (!w.is_record() || w.table != table || w.key < from) continue;
      const auto kept = e_.record(table, w.key);
      if (!each(bytes_view{w.key}, view_of(kept))) break;
    }
    return {};
  }

  static bool damage(const error& e) {
    return e.code == errc::checksum || e.code == errc::quarantined || e.code == errc::malformed;
  }

  // The next keys of a table: those of the snapshot, and those of changesets that it lacks.
  std::set<bytes> keys_from(std::string_view table, const bytes& from, std::size_t limit) {
    std::set<bytes> out;
    const auto index = e_.names().find(table);
    if (!index) return out;
    const auto prefix = history::index_key(*index);
    static_cast<void>(e_.storage().read([&](auto& view) -> result<> {
      view.scan(history::area::records, prefix + from, [&](bytes_view key, bytes_view) {
        if (!key.starts_with(prefix)) return false;
        out.emplace(key.substr(prefix.size()));
        return out.size() < limit;
      });
      return {};
    }));
    const bool last = out.size() < limit;
    const auto end = last ? bytes{} : *out.rbegin();
    static_cast<void>(
        e_.read_log(e_.status().snapshot + 1, [&](auto, const auto&, auto, bytes_view data) {
          const auto c = codec::decode_changeset(data);
          if (!c) return true;
          for (const auto& r : c->records)
            if (c->names[r.table] == table && r.key >= from && (last || r.key <= end))
              out.emplace(r.key);
          return true;
        }));
    return out;
  }

  engine<Storage>& e_;
  std::ostream& out_;
  const inspect_options& options_;
};

}  // namespace detail

/// Prints what the replica's store holds. Errors: not_found (the record asked for), and the
/// storage's where nothing can be read at all.
template <history::storage Storage>
result<> inspect(engine<Storage>& e, std::ostream& out, const inspect_options& options = {}) {
  return detail::inspection<Storage>{e, out, options}.run();
}

}  // namespace joinery::tool
