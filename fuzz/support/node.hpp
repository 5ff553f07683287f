// node: a replica without a schema of its own, in memory, and what must hold of it.
//
// Purpose: the fuzzers of sessions, snapshots and stores share how a replica is filled, opened
// again, and looked through.
// Invariants: what a node writes depends on its seed and the calls alone.
// Thread-safety: none.
#pragma once

#include <array>
#include <optional>

#include "fuzz/support/target.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/crdt/mv.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/crdt/tally.hpp"
#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/engine.hpp"
#include "joinery/replica/space_name.hpp"

namespace fuzz {

namespace codec = joinery::codec;
namespace crdt = joinery::crdt;
namespace history = joinery::history;
using history::memory_storage;
using joinery::byte_writer;
using joinery::errc;
using joinery::error;
using joinery::replica_id;
using joinery::result;
using memory_engine = joinery::engine<memory_storage>;

inline constexpr std::array<std::string_view, 2> table_names{"plants", "beds"};
inline constexpr std::array<std::string_view, 4> key_names{"a", "b", "c", "a longer key"};

/// A field of every kind, and some deltas of it.
struct some_field {
  std::string_view name;
  crdt::shape type;
  std::vector<bytes> deltas;
};
inline const std::vector<some_field>& some_fields() {
  using crdt::cell_action;
  using crdt::encode_value, crdt::kind, crdt::lww, crdt::mv, crdt::or_set, crdt::tally;
  using nested = crdt::map<int, crdt::or_set<int>>;
  static const auto fields = [] {
    const auto map_delta = [](int key, bytes_view inner) {
      bytes out;
      byte_writer w{out};
      w.block(encode_value(key));
      w.raw(crdt::detail::cell_delta(1, cell_action::update, inner));
      return out;
    };
    const auto erased = crdt::detail::cell_delta(1, cell_action::erase);
    bytes erase_entry;
    byte_writer w{erase_entry};
    w.block(encode_value(1));
    w.raw(erased);
    return std::vector<some_field>{
        {"name", lww<int>::type(), {lww<int>::set(1), lww<int>::set(2), lww<int>::set(3, 1)}},
        {"motto", mv<int>::type(), {mv<int>::set(1), mv<int>::set(2)}},
        {"tags",
         or_set<int>::type(),
         {or_set<int>::insert(1), or_set<int>::insert(2), or_set<int>::erase(1)}},
        {"xp", kind::pn_counter, {bytes(1, '\6'), bytes(1, '\5')}},
        {"visits", kind::g_counter, {bytes(1, '\6')}},
        {"grants", tally<int>::type(), {tally<int>::grant(1, 5), tally<int>::grant(2, 7)}},
        {"most", kind::max_of, {encode_value(5), encode_value(9)}},
        {"least", kind::min_of, {encode_value(5), encode_value(1)}},
        {"open", kind::flag, {bytes(1, '\1'), bytes(1, '\0')}},
        {"gear",
         nested::type(),
         {map_delta(1, or_set<int>::insert(4)), map_delta(2, or_set<int>::insert(5)), erase_entry}},
    };
  }();
  return fields;
}

class node {
 public:
  explicit node(std::uint64_t seed) : dice(seed) {
    options.space = joinery::space_named("fuzz");
    options.time = &time;
    options.random = &dice;
    options.full_retry_ms = 0;
  }
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  memory_storage disk;
  joinery::manual_clock time{1'000'000};
  prng dice;
  joinery::replica_options options;
  std::optional<memory_engine> e;

  result<> open() {
    e.reset();
    auto opened = memory_engine::open(disk.share(), options);
    if (!opened) return opened.error();
    e.emplace(std::move(*opened));
    return {};
  }
  void reopen() {
    e.reset();
    disk.reopen();
    open().value();
  }

  /// One transaction on one record; which, the number says.
  result<> write(unsigned what) {
    const auto table = table_names[what % table_names.size()];
    const auto key = key_names[what / 2 % key_names.size()];
    const auto packed = e->record(table, key);
    if (!packed) return packed.error();
    const auto cell = crdt::read_cell(*packed);
    codec::changeset_writer changes;
    if (what % 11 == 10 && cell.alive()) {
      const auto how = what % 2 == 0 ? crdt::cell_action::erase : crdt::cell_action::erase_final;
      changes.add(table, key, {how, cell.incarnation, {}, {}, {}});
    } else {
      const auto& all = some_fields();
      const auto& f = all[what % all.size()];
      const auto& delta = f.deltas[what / all.size() % f.deltas.size()];
      changes.add(
          table, key,
          {crdt::cell_action::update, crdt::incarnation_to_create(cell), f.name, f.type, delta});
    }
    auto done = e->commit(changes);
    return done ? result<>{} : done.error();
  }

  /// Drops all of the log, as far as it may.
  void forget_log() {
    const auto keep = options.retain_log_bytes;
    options.retain_log_bytes = 0;
    reopen();
    e->acknowledged(e->heads());
    e->checkpoint().value();
    options.retain_log_bytes = keep;
    reopen();
  }
};

/// What a node shows: it must be the same after it was opened again.
struct appearance {
  std::string digest;
  std::vector<history::head> heads;
  std::uint64_t held = 0;
  replica_id self;
  friend bool operator==(const appearance&, const appearance&) = default;
};
inline appearance appearance_of(node& n) {
  const auto digest = n.e->digest();
  demand(digest.has_value(), "no digest of a sound store");
  const auto status = n.e->status();
  auto heads = n.e->heads();
  std::sort(heads.begin(), heads.end(),
            [](const auto& a, const auto& b) { return a.origin < b.origin; });
  return {digest->hex(), std::move(heads), status.held, status.self};
}

/// Reads all that there is; the first error.
inline result<> look_through(memory_engine& e) {
  result<> first;
  const auto note = [&](const auto& done) {
    if (!done && first) first = done.error();
  };
  for (const auto table : table_names) {
    note(e.for_each(table, {}, [](auto, const auto&) { return true; }));
    for (const auto key : key_names) note(e.record(table, key));
  }
  note(e.conflicts());
  note(e.described_tables());
  note(e.list_wanted());
  note(e.read_log(e.log_floor().first(), [](auto...) { return true; }));
  if (const auto reader = e.read_now()) {
    for (const auto table : table_names)
      note((*reader)->for_each(table, {}, [](auto, const auto&) { return true; }));
    note((*reader)->digest());
  } else {
    note(reader);
  }
  static_cast<void>(e.status());
  return first;
}

/// The log's changesets of each origin follow each other up to what the version says.
inline void check_log(memory_engine& e) {
  auto version = e.log_floor().version;
  const bool joined = !e.log_floor().joins.empty();
  auto read = e.read_log(e.log_floor().first(),
                         [&](auto, const replica_id& origin, std::uint64_t seq, bytes_view data) {
                           const auto r = e.replicas().find(origin);
                           demand(r.has_value(), "a changeset of nobody in the log");
                           demand(joined || seq == version.at(*r) + 1, "a hole in the log");
                           version.raise({*r, seq});
                           demand(codec::decode_changeset(data).has_value(), "a log entry");
                           return true;
                         });
  demand(read.has_value(), "a log that cannot be read");
  demand(version == e.seen(), "a version that is not the log's");
}

/// Whatever happened to a node whose storage is sound: it is whole, and what it shows is what it
/// has stored.
inline void check_sound(node& n) {
  demand(look_through(*n.e).has_value(), "a sound store that cannot be read");
  check_log(*n.e);
  const auto before = appearance_of(n);
  n.reopen();
  check_log(*n.e);
  demand(appearance_of(n) == before, "a replica that is another one once it is opened again");
}

}  // namespace fuzz
