// A program with a table that stays on the device, and devices that run it.
//
// Purpose: what the tests of local tables share.
// Thread-safety: none.
#pragma once

#include "tests/replica/peer.hpp"
#include "tests/replica/sport_like.hpp"

namespace replica_tests::local_app {

struct post {
  BOOST_HANA_DEFINE_STRUCT(post, (lww<std::string>, text), (pn_counter, likes));
};
struct note {
  BOOST_HANA_DEFINE_STRUCT(note,
    (lww<std::string>, text), (pn_counter, edits), (or_set<std::string>, tags));
};
struct shared_note {
  BOOST_HANA_DEFINE_STRUCT(shared_note, (lww<std::string>, text), (pn_counter, edits));
};

using notes_app =
    tables<table<"posts", post>, table<"drafts", note, local_only, joinery::index<&note::text>>>;
/// A program that has nothing local, one that shares a table of that name, and one that has no
/// other table.
using app_without = tables<table<"posts", post>>;
using app_sharing = tables<table<"posts", post>, table<"drafts", shared_note>>;

template <class App, class Storage = memory_storage>
struct device {
  memory_storage disk;
  manual_clock time{1'000'000};
  prng dice;
  replica_options options;
  std::optional<replica<App, Storage>> db;

  explicit device(std::uint64_t seed, durability mode = durability::commit)
      : disk(mode), dice(seed) {
    options.space = space_named("local tables");
    options.time = &time;
    options.random = &dice;
    options.full_retry_ms = 0;
    open().value();
  }
  result<> open() {
    db.reset();
    auto opened = replica<App, Storage>::open(Storage{disk.share()}, options);
    if (!opened) return opened.error();
    db.emplace(std::move(*opened));
    return {};
  }
  void crash(std::size_t survivors = 0) {
    db.reset();
    disk.crash(survivors);
    open().value();
  }
  auto& engine() { return db->endpoint(); }
  template <class F>
  auto write(F&& body) {
    time.now += 10;
    return db->write(body);
  }
  std::string digest() { return db->digest().value().hex(); }
};

template <class To, class From>
void hear(To& to, From& from) {
  std::vector<bytes> log;
  from.engine()
      .read_log(
          1, [&](auto, const auto&, auto, bytes_view data) { return log.emplace_back(data), true; })
      .value();
  const std::vector<bytes_view> views(log.begin(), log.end());
  to.engine().ingest(views).value();
}

/// The text of a note in the local table; empty when there is none.
template <class Device>
std::string draft(Device& d, std::string_view key) {
  const auto found = d.db->template find<note>(key);
  return found ? *found->text : std::string{};
}
template <class Device>
std::int64_t edits(Device& d, std::string_view key) {
  const auto found = d.db->template find<note>(key);
  return found ? *found->edits : 0;
}
template <class Device>
std::int64_t likes(Device& d, std::string_view key) {
  const auto found = d.db->template find<post>(key);
  return found ? *found->likes : 0;
}

/// The keys of an area.
inline std::vector<bytes> keys_of(memory_storage& disk, area where) {
  std::vector<bytes> out;
  disk.read([&](auto& view) -> result<> {
        view.scan(where, {},
                  [&](bytes_view key, bytes_view) { return out.emplace_back(key), true; });
        return {};
      })
      .value();
  return out;
}

/// Turns a byte over in the entry of `where` whose key ends with `suffix`.
inline void flip_ending(memory_storage& disk, area where, std::string_view suffix) {
  for (const auto& key : keys_of(disk, where))
    if (key.ends_with(suffix))
      disk.write([&](auto& w) -> result<> {
            bytes value{w.get(where, key).value()};
            value.back() = static_cast<char>(value.back() ^ 1);
            w.put(where, key, value);
            return {};
          })
          .value();
}

}  // namespace replica_tests::local_app
