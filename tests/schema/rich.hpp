// A schema with every kind of field, nested structs included, and replicas of it in memory.
//
// Thread-safety: values.
#pragma once

#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"
#include "joinery/testing/prng.hpp"

namespace schema_tests {

using namespace joinery;
using history::memory_storage;
using std::string;

enum class sport : std::uint8_t { run = 1, ride = 2 };

struct body {
  BOOST_HANA_DEFINE_STRUCT(body, (lww<double>, weight_kg), (min_of<int>, resting_pulse));
};
struct goals {
  BOOST_HANA_DEFINE_STRUCT(goals, (lww<int>, weekly), (body, target));
};
struct profile {
  BOOST_HANA_DEFINE_STRUCT(profile,
    (lww<string>, display_name), (mv<string>, motto), (or_set<string>, badges),
    (pn_counter, balance), (g_counter, visits), (tally<string>, xp),
    (max_of<double>, longest_km), (flag, shares), (lww<sport>, favourite), (body, now),
    (goals, plan), (map<string, max_of<double>>, bests), (map<string, or_set<string>>, gear),
    (map<string, map<int, pn_counter>>, laps), (map<string, lww<string>>, notes));
};
struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (lww<string>, text), (pn_counter, likes));
};
using rich = tables<table<"profiles", profile>, table<"posts", post, delete_wins>>;

/// A replica in memory of a schema, all in the same space.
template <class Schema>
struct device {
  using database = replica<Schema, memory_storage>;
  using tx = typename database::transaction;

  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice;
  std::size_t large_field_bytes = replica_options{}.large_field_bytes;
  database db;

  explicit device(std::uint64_t seed) : dice(seed), db(open()) {}
  device(const device&) = delete;
  database open() {
    replica_options o{.space = space_named("schemas"), .time = &time, .random = &dice};
    o.large_field_bytes = large_field_bytes;
    return database::open(disk.share(), o).value();
  }
  void reopen() { db = open(); }

  template <class F>
  auto write(F&& body) {
    return db.write(std::forward<F>(body));
  }
  std::vector<bytes> log() {
    std::vector<bytes> out;
    db.endpoint()
        .read_log(1,
                  [&](auto, const auto&, auto, bytes_view data) {
                    out.emplace_back(data);
                    return true;
                  })
        .value();
    return out;
  }
  template <class Other>
  void take(Other& from) {
    const auto log = from.log();
    const std::vector<bytes_view> views(log.begin(), log.end());
    db.endpoint().ingest(views).value();
  }
  string digest() { return db.digest().value().hex(); }
  /// The operations of the newest changeset.
  std::vector<codec::record_op> last_ops() {
    newest_ = log().back();
    return codec::decode_changeset(newest_).value().ops;
  }

 private:
  bytes newest_;
};

using device_type = device<rich>;
using tx_type = device_type::tx;

template <class A, class B>
void meet(A& a, B& b) {
  a.take(b);
  b.take(a);
}

template <class R>
bool failed_with(const R& r, errc code) {
  return !r && r.error().code == code;
}

}  // namespace schema_tests
