// Stores that somebody made up: every checksum fits, the content does not.
#include <catch2/catch.hpp>

#include "tests/replica/peer.hpp"

using namespace replica_tests;

namespace {

void seal(peer& p, area where, bytes_view key, bytes_view content) {
  p.disk
      .write([&](auto& w) -> result<> {
        history::put_sealed(w, where, key, content);
        return {};
      })
      .value();
}
bytes content_at(peer& p, area where, bytes_view key) {
  bytes out;
  p.disk
      .read([&](auto& view) -> result<> {
        out = bytes{history::open_sealed(where, key, view.get(where, key).value()).value()};
        return {};
      })
      .value();
  return out;
}
/// Reads, examines, writes and closes; each call is right or has a typed error.
void use(peer& p) {
  const auto fine = [](const auto& done) {
    if (!done) CHECK(name_of(done.error().code) != "unknown");
  };
  fine(p.open());
  if (!p.e) return;
  fine(p.e->record("table", "a"));
  fine(p.e->record("table", ""));
  fine(p.e->for_each("table", {}, [](auto, const auto&) { return true; }));
  fine(p.e->digest());
  fine(p.e->conflicts());
  for (int i = 0; i < 100; ++i) fine(p.e->scrub(8));
  fine(p.e->tend());
  fine(p.set("b", 3));
  fine(p.e->checkpoint());
  fine(p.e->list_wanted());
}

}  // namespace

TEST_CASE("a forged record that names fields and replicas beyond those of its store does no harm") {
  peer many{1};
  for (int i = 0; i < 40; ++i) {
    many.take(forged{some_id(10 + i), 1, causal::hlc_from_ms(1'000'000), {}, 7, "a"}.make())
        .value();
    many.set("a", i, "field " + std::to_string(i)).value();
  }
  many.e->checkpoint().value();
  const auto from = history::record_key(*many.e->names().find("table"), "a");
  const auto packed = content_at(many, area::records, from);

  peer few{2};
  few.options.cache_bytes = 0;
  few.set("a", 1).value();
  few.e->checkpoint().value();
  REQUIRE(few.e->names().size() < 5);
  seal(few, area::records, history::record_key(*few.e->names().find("table"), "a"), packed);
  use(few);
  use(few);
}

TEST_CASE("forged keys that are too short for what they name are read without harm") {
  for (std::size_t where = 0; where < history::area_count; ++where) {
    if (static_cast<area>(where) == area::log) continue;  // a storage takes whole keys only
    for (const std::size_t size : {1u, 2u, 3u, 4u, 7u, 9u, 11u}) {
      CAPTURE(where, size);
      peer p{3};
      p.options.cache_bytes = 0;
      p.options.large_field_bytes = 8;
      for (int i = 0; i < 4; ++i) p.set("a", i).value();
      p.e->checkpoint().value();
      const auto key = bytes(size, '\0');
      seal(p, static_cast<area>(where), key, "");
      use(p);
      // The same, and damaged: it is set aside under a key that names nothing.
      p.disk
          .write([&](auto& w) -> result<> {
            w.put(static_cast<area>(where), key, "no checksum");
            return {};
          })
          .value();
      use(p);
      use(p);
    }
  }
}
