// An engine in memory with handles to its storage and its clock.
//
// Purpose: what the tests of the engine share: write and read single values, exchange changesets,
// look into storages.
// Thread-safety: none.
#pragma once

#include "joinery/crdt/lww.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/space_name.hpp"
#include "joinery/testing/prng.hpp"

namespace replica_tests {

using namespace joinery;
using codec::changeset_writer;
using crdt::cell_action;
using history::area;
using history::durability;
using history::memory_operation;
using history::memory_storage;

using batch = std::vector<bytes>;

/// All bytes of a storage.
inline std::string content_of(memory_storage& disk) {
  std::string out;
  disk.read([&](auto& view) -> result<> {
        for (std::size_t a = 0; a < history::area_count; ++a)
          view.scan(static_cast<area>(a), {}, [&](bytes_view key, bytes_view value) {
            out += std::to_string(a) + " " + to_hex(key) + " " + to_hex(value) + "\n";
            return true;
          });
        return {};
      })
      .value();
  return out;
}

inline bytes lww_delta(int value) { return crdt::lww<int>::set(value); }

class peer {
 public:
  explicit peer(std::uint64_t seed, durability mode = durability::commit) : disk(mode), dice(seed) {
    options.space = space_named("engine tests");
    options.time = &time;
    options.random = &dice;
    options.full_retry_ms = 0;  // each test of a fault tries again at once
    open().value();
  }

  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice;
  replica_options options;
  std::optional<engine<memory_storage>> e;

  result<> open() {
    e.reset();
    auto opened = engine<memory_storage>::open(disk.share(), options);
    if (!opened) return opened.error();
    e.emplace(std::move(*opened));
    return {};
  }
  void reopen() {
    e.reset();
    disk.reopen();
    open().value();
  }
  void crash(std::size_t survivors = 0) {
    e.reset();
    disk.crash(survivors);
    open().value();
  }

  /// Sets a number in a record of "table", made when it is not there.
  result<std::optional<causal::dot>> set(std::string_view key, int value,
                                         std::string_view field = "number") {
    changeset_writer w;
    put(w, key, value, field);
    return e->commit(w);
  }
  void put(changeset_writer& w, std::string_view key, int value,
           std::string_view field = "number") {
    const auto cell = crdt::read_cell(e->record("table", key).value());
    const auto life = cell.incarnation + (cell.alive() ? 0 : 1);
    w.add("table", key, {cell_action::update, life, field, crdt::kind::lww, lww_delta(value)});
  }
  result<std::optional<causal::dot>> erase(std::string_view key) {
    changeset_writer w;
    const auto cell = crdt::read_cell(e->record("table", key).value());
    w.add("table", key, {cell_action::erase, cell.incarnation, {}, {}, {}});
    return e->commit(w);
  }
  /// The number of a record: 0 when it is not there.
  int get(std::string_view key, std::string_view field = "number") {
    return number_in(e->record("table", key).value(), field);
  }
  int number_in(bytes_view packed, std::string_view field = "number") {
    const auto cell = crdt::read_cell(packed);
    const auto name = e->names().find(field);
    if (!cell.alive() || !name) return 0;
    const crdt::lww<int, bytes_view> f{state::field_state(cell.value, {*name, crdt::kind::lww})};
    return f.get(e->replicas()).value_or(0);
  }

  /// What it shows to peers, from a position on.
  batch log(std::uint64_t from = 1) {
    batch out;
    e->read_log(from, [&](auto, const auto&, auto, bytes_view data) {
       out.emplace_back(data);
       return true;
     }).value();
    return out;
  }
  result<ingest_report> take(const batch& changesets) {
    std::vector<bytes_view> views(changesets.begin(), changesets.end());
    return e->ingest(views);
  }
  result<ingest_report> take(const bytes& changeset) { return take(batch{changeset}); }
  std::string digest() { return e->digest().value().hex(); }
  std::string content() { return content_of(disk); }
  [[nodiscard]] replica_id id() const { return e->self(); }
};

template <class R>
bool failed_with(const R& r, errc code) {
  return !r && r.error().code == code;
}

/// A changeset of any origin, as a peer could make it up.
struct forged {
  replica_id origin;
  std::uint64_t seq = 1;
  causal::hlc time = causal::hlc_from_ms(1'000'000);
  std::vector<codec::seen_increase> seen{};
  int value = 7;
  std::string key = "forged";

  [[nodiscard]] bytes make() const {
    changeset_writer w;
    w.add("table", key, {cell_action::update, 1, "number", crdt::kind::lww, lww_delta(value)});
    return w.encode(origin, seq, time, seen);
  }
};
inline replica_id some_id(int n) {
  replica_id id;
  id.data.fill(static_cast<unsigned char>(n));
  return id;
}

/// How many entries an area of the peer's store has, from `from` on.
inline std::size_t entries_of(peer& p, history::area where, bytes_view from = {}) {
  std::size_t n = 0;
  p.disk
      .read([&](auto& view) -> result<> {
        view.scan(where, from, [&](bytes_view, bytes_view) { return ++n > 0; });
        return {};
      })
      .value();
  return n;
}

}  // namespace replica_tests
