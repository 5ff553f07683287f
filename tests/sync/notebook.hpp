// A typed replica in memory whose log can be dropped.
//
// Purpose: what the tests of joined snapshots and of stores that were put back share.
// Thread-safety: none.
#pragma once

#include <catch2/catch.hpp>

#include <map>

#include "joinery/replica/replica.hpp"
#include "tests/sync/meeting.hpp"

namespace sync_tests {

using history::memory_storage;

struct note {
  BOOST_HANA_DEFINE_STRUCT(note, (lww<std::string>, title), (pn_counter, likes));
};
using notes = tables<table<"notes", note, joinery::index<&note::title>>>;
using plain_notes = tables<table<"notes", note>>;

inline std::string key_of(int n) { return "note " + std::to_string(1000 + n); }

/// A typed replica with its clock and its chance.
template <class Schema>
struct notebook {
  memory_storage disk;
  manual_clock time{1'000'000};
  testing::prng dice;
  replica_options options;
  std::optional<replica<Schema, memory_storage>> db;

  explicit notebook(std::uint64_t seed) : dice(seed) {
    options.space = space_named("joined");
    options.time = &time;
    options.random = &dice;
    options.snapshot_step_records = 5;
    open();
  }
  void open() {
    db.reset();
    db.emplace(replica<Schema, memory_storage>::open(disk.share(), options).value());
  }
  void write(int n, const std::string& title, int likes = 1) {
    db->write([&](auto& tx) {
        auto there = tx.template find<note>(key_of(n));
        auto record = there ? std::move(*there) : tx.template create<note>(key_of(n));
        record.title = title;
        record.likes += likes;
      }).value();
  }
  void forget_log() {
    db->endpoint().acknowledged(db->endpoint().heads());
    options.retain_log_bytes = 0;
    open();
    db->endpoint().acknowledged(db->endpoint().heads());
    db->endpoint().checkpoint().value();
    REQUIRE(db->endpoint().log_floor().position > 0);
  }
  std::string digest() { return db->digest().value().hex(); }
};

template <class Source>
std::map<std::string, std::pair<std::string, std::int64_t>> contents(Source& from) {
  std::map<std::string, std::pair<std::string, std::int64_t>> out;
  from.template for_each<note>([&](std::string_view key, const note& n) {
    out[std::string{key}] = {*n.title, *n.likes};
  });
  return out;
}

template <class Db>
std::vector<std::string> titled(Db& db, const std::string& title) {
  std::vector<std::string> keys;
  db.template query<note>().template by<&note::title>().equal(title).for_each(
      [&](std::string_view key, const note&) { keys.emplace_back(key); });
  return keys;
}

}  // namespace sync_tests
