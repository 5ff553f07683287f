// random_changesets: changesets of all sorts, from a seed.
//
// Purpose: what the tests and benchmarks of the transit form put through it.
// Thread-safety: none.
#pragma once

#include <random>

#include "joinery/codec/changeset.hpp"
#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/extremum.hpp"
#include "joinery/crdt/flag.hpp"
#include "joinery/crdt/lww.hpp"
#include "joinery/crdt/or_set.hpp"
#include "joinery/crdt/tally.hpp"

namespace codec_tests {

using namespace joinery;

class changeset_source {
 public:
  explicit changeset_source(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  replica_id origin(std::size_t n) {
    replica_id id;
    id.data.fill(static_cast<unsigned char>(n * 37 + 1));
    id.data[0] = static_cast<unsigned char>(n);
    id.data[1] = static_cast<unsigned char>(n >> 8);
    return id;
  }
  bytes noise(std::size_t size) {
    bytes out(size, '\0');
    for (auto& c : out) c = static_cast<char>(random_());
    return out;
  }
  bytes prose(std::size_t size) {
    bytes out;
    while (out.size() < size)
      out += static_cast<char>(below(6) == 0 ? ' ' : 'a' + static_cast<int>(below(26)));
    return out;
  }

  /// A changeset of some origin, which writes it now and then leaves a gap, with what it saw.
  bytes next() { return next_of(below(8) == 0 ? below(60) : below(5)); }
  bytes next_of(std::size_t records) {
    codec::changeset_writer w;
    for (; records > 0; --records) {
      const auto table = std::string_view{tables[below(std::size(tables))]};
      const auto key = this->key();
      for (auto ops = below(10) == 0 ? below(5) : 1; ops > 0; --ops) w.add(table, key, op());
    }
    const auto by = below(below(20) == 0 ? 600 : 4);
    auto& seq = seqs_[by];
    seq += below(30) == 0 ? 1 + random_() : 1;
    time_ += below(3) == 0 ? below(1u << 20) << 16 : 1;
    const auto time = below(40) == 0 ? random_() * std::uint64_t{random_()} : time_;
    std::vector<codec::seen_increase> seen;
    for (std::size_t i = 0, n = below(4) == 0 ? below(5) : 0; i < n; ++i)
      seen.push_back({origin(by + 1 + i), 1 + below(100)});
    return w.encode(origin(by), seq, time, seen);
  }

  /// Changes a few bytes, or the length.
  void disturb(bytes& data) {
    for (auto n = below(4); n > 0 && !data.empty(); --n) {
      const auto at = below(data.size());
      switch (below(6)) {
        case 0: data.resize(at); break;
        case 1: data.insert(at, 1, static_cast<char>(random_())); break;
        case 2: data.erase(at, 1); break;
        case 3: data += data.substr(at); break;
        default: data[at] = static_cast<char>(random_());
      }
    }
  }

 private:
  using op_t = codec::changeset_writer::op;
  static constexpr const char* tables[] = {"workouts", "profiles", "posts", "a", "joinery.schema"};
  static constexpr const char* fields[] = {"name", "xp", "tags", "note", "best", "done", "a"};

  bytes key() {
    switch (below(4)) {
      case 0: return noise(1 + below(3) * below(130));
      case 1: return "key " + std::to_string(below(3000));
      default: {
        std::mt19937 of{static_cast<unsigned>(below(5000))};
        bytes out(16, '\0');
        for (auto& c : out) c = static_cast<char>(of());
        return out;
      }
    }
  }
  std::int64_t integer() {
    const auto n = static_cast<std::int64_t>(random_() * std::uint64_t{random_()} >> below(64));
    return below(4) == 0 ? -n : n;
  }
  bytes text() {
    return below(5) == 0 ? bytes{} : below(9) == 0 ? noise(below(40)) : prose(below(60));
  }

  op_t op() {
    using enum crdt::cell_action;
    const auto field = std::string_view{fields[below(std::size(fields))]};
    const auto life = below(12) == 0 ? 1 + below(100'000) : 1;
    const auto action = below(9) == 0 ? amend : update;
    const auto made = [&](crdt::shape type, bytes delta) {
      return op_t{action, life, field, type, std::move(delta)};
    };
    using crdt::kind;
    switch (below(16)) {
      case 0: return {create, life, {}, {}, {}};
      case 1: return {below(2) == 0 ? erase : erase_final, life, {}, {}, {}};
      case 2:
      case 3: return made(kind::lww, crdt::lww<std::string>::set(text()));
      case 4: return made(kind::lww, crdt::lww<std::int64_t>::set(integer()));
      case 5: return made(kind::mv, crdt::lww<bool>::set(below(2) == 0));
      case 6: return made(kind::or_set, crdt::or_set<std::int64_t>::insert(integer()));
      case 7: return made(kind::or_set, crdt::or_set<std::string>::erase(text()));
      case 8: return made(kind::pn_counter, crdt::pn_counter::add(integer()));
      case 9: return made(kind::g_counter, crdt::pn_counter::add(static_cast<int>(below(100))));
      case 10: return made(kind::tally, bytes{"\x05\x02grant\0", 8});
      case 11: return made(kind::tally, noise(below(12)));
      case 12: return made(kind::max_of, crdt::lww<std::int64_t>::set(integer()).substr(1));
      case 13: return made(kind::flag, bytes(1, static_cast<char>(below(3))));
      case 14: return made(crdt::shape::map_of(kind::lww), noise(below(30)));
      default: return made(crdt::shape::from_code(1u << below(32)), noise(below(20)));
    }
  }

  std::mt19937 random_;
  std::map<std::size_t, std::uint64_t> seqs_;
  std::uint64_t time_ = std::uint64_t{1} << 56;
};

}  // namespace codec_tests
