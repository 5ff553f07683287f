// An engine as the enumeration of whole engines sees it: it makes an operation of the oracle, takes
// changesets, joins snapshots, and reads in the oracle's words.
//
// Thread-safety: none.
#pragma once

#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/or_set.hpp"
#include "tests/replica/oracle.hpp"
#include "tests/replica/peer.hpp"

namespace replica_tests {

/// What is enumerated: one record with these fields, changed in these ways.
struct setting {
  std::vector<oracle::operation> words;
  std::vector<oracle::field_type> fields;
  std::size_t changesets = 3;
  bool large = false;  ///< sets stand apart from their record from the first element on
};

class engine_under_test {
 public:
  engine_under_test(std::uint64_t seed, const setting& s) : dice_(seed) {
    options_.space = space_named("every history");
    options_.time = &time_;
    options_.random = &dice_;
    if (s.large) options_.large_field_bytes = 0;
    e.emplace(engine<memory_storage>::open(disk_.share(), options_).value());
  }

  void take(const bytes& changeset) {
    const bytes_view one{changeset};
    e->ingest({&one, 1}).value();
  }
  bytes commit(const oracle::operation& o, const std::vector<oracle::field_type>& fields) {
    changeset_writer w;
    const auto cell = crdt::read_cell(e->record("t", "k").value());
    const auto life = crdt::incarnation_to_create(cell);
    if (o.what != oracle::verb::update) {
      const auto action = o.what == oracle::verb::create  ? cell_action::create
                          : o.what == oracle::verb::erase ? cell_action::erase
                                                          : cell_action::erase_final;
      w.add("t", "k", {action, life, {}, {}, {}});
    } else {
      auto [type, delta] = delta_of(fields[o.field].inside, o);
      w.add("t", "k", {cell_action::update, life, fields[o.field].name, type, delta});
    }
    e->commit(w).value();
    bytes out;
    e->read_log(e->log_end() - 1, [&](auto, const auto&, auto, bytes_view data) {
       out = data;
       return true;
     }).value();
    return out;
  }

  /// Joins what `server` has, as a session would bring it.
  void join(engine_under_test& server) {
    const auto session = std::make_shared<const int>(0);
    const auto request = e->request_snapshot(session).value();
    auto serving = server.e->serve_snapshot(*request, chunk_bytes).value();
    while (const auto chunk = server.e->next_chunk(serving, chunk_bytes).value())
      e->take_chunk(*chunk, session).value();
    // The server stood still meanwhile: no changesets follow.
    e->take_chunk(joinery::detail::chunk_of(joinery::detail::chunk_kind::end), session).value();
  }

  std::string read(const std::vector<oracle::field_type>& fields) {
    const auto record = e->whole_record("t", "k").value();
    const auto cell = crdt::read_cell(record);
    if (!cell.alive()) return "none";
    std::string out;
    for (const auto& f : fields) out += f.name + "=" + read_field(cell.value, f) + "; ";
    return out;
  }
  [[nodiscard]] std::string digest() { return e->digest().value().hex(); }

  std::optional<engine<memory_storage>> e;

 private:
  static constexpr std::size_t chunk_bytes = 512;

  static std::pair<crdt::shape, bytes> delta_of(oracle::leaf type, const oracle::operation& o) {
    if (type == oracle::leaf::counter) return {crdt::kind::pn_counter, crdt::pn_counter::add(o.x)};
    if (type == oracle::leaf::lww) return {crdt::kind::lww, crdt::lww<std::int64_t>::set(o.x)};
    using set = crdt::or_set<std::int64_t>;
    return {crdt::kind::or_set,
            o.change == oracle::deed::insert ? set::insert(o.x) : set::erase(o.x)};
  }
  std::string read_field(bytes_view value, const oracle::field_type& f) {
    const auto name = e->names().find(f.name);
    const auto packed = [&](crdt::kind k) {
      return name ? state::field_state(value, {*name, k}) : bytes_view{};
    };
    if (f.inside == oracle::leaf::counter) {
      const crdt::pn_counter now{bytes{packed(crdt::kind::pn_counter)}};
      return std::to_string(now.get().value);
    }
    if (f.inside == oracle::leaf::lww) {
      const crdt::lww<std::int64_t> now{bytes{packed(crdt::kind::lww)}};
      return std::to_string(now.get(e->replicas()).value_or(0)) + (now.in_conflict() ? "!" : "");
    }
    std::string out;
    const crdt::or_set<std::int64_t> now{bytes{packed(crdt::kind::or_set)}};
    now.for_each([&](std::int64_t v) { out += std::to_string(v) + ","; });
    return out;
  }

  memory_storage disk_{durability::commit};
  manual_clock time_{1'000'000};
  testing::prng dice_;
  replica_options options_;
};

}  // namespace replica_tests
