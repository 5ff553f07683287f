// Editing takes memory for what is edited, not for what is there: counted in operator new.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <new>

#include "tests/schema/rich.hpp"

namespace {

struct {
  bool counting = false;
  std::size_t bytes = 0;
} heap;

void* take(std::size_t size) {
  if (heap.counting) heap.bytes += size;
  if (void* out = std::malloc(size == 0 ? 1 : size)) return out;
  throw std::bad_alloc{};
}

/// How many bytes `body` takes from the heap, given back or not.
template <class F>
std::size_t taken_by(F&& body) {
  heap.bytes = 0;
  heap.counting = true;
  body();
  heap.counting = false;
  return heap.bytes;
}

}  // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

using namespace schema_tests;

TEST_CASE("editing a record with a set of ten thousand elements takes a few hundred bytes") {
  device_type a{1};
  a.large_field_bytes = std::size_t{1} << 30;  // in one string, the worst case
  a.reopen();
  a.write([](tx_type& tx) {
     auto p = tx.create<profile>("me");
     for (int n = 0; n < 10'000; ++n) {
       p.badges.insert("badge number " + std::to_string(n));
       p.xp.grant("grant number " + std::to_string(n), 1);
     }
     p.notes["knee"] = "fine";
   }).value();
  const auto whole = a.db.endpoint().record("profiles", "me").value().size();
  REQUIRE(whole > 300'000);
  CHECK(taken_by([&] { static_cast<void>(a.db.find<profile>("me")->badges.get()); }) > whole);

  std::size_t to_edit = 0, to_insert = 0, to_erase = 0, to_ask = 0, to_count = 0;
  a.write([&](tx_type& tx) {
     to_edit = taken_by([&] { tx.edit<profile>("me"); });
     auto p = tx.edit<profile>("me");
     to_insert = taken_by([&] { p.badges.insert("one more"); });
     to_erase = taken_by([&] { p.badges.erase("badge number 77"); });
     to_ask = taken_by([&] { CHECK(p.xp.at("grant number 5") == 1u); });
     to_count = taken_by([&] {
       p.xp.grant("another", 7);
       p.balance += 1;
       p.display_name = "Ana";
       p.notes["hip"] = "sore";
     });
   }).value();
  CAPTURE(whole, to_edit, to_insert, to_erase, to_ask, to_count);
  CHECK(to_edit < 1000);
  CHECK(to_insert < 1000);
  CHECK(to_erase < 1000);
  CHECK(to_ask < 2000);  // Catch2's own share included
  CHECK(to_count < 4000);
  CHECK(a.db.find<profile>("me")->badges.size() == 10'000);
}

TEST_CASE("taking a document apart takes no memory") {
  // A million of the smallest items.
  bytes data;
  byte_writer w{data};
  constexpr std::uint32_t items = 1'000'000;
  w.u8(0xDD);
  for (int shift = 24; shift >= 0; shift -= 8) w.u8(static_cast<std::uint8_t>(items >> shift));
  data.append(items, '\x01');
  codec::pack_reader in{data};
  const auto taken = taken_by([&] {
    for (auto n = in.array(); n > 0; --n) in.u64();
  });
  CHECK(in.finished());
  CHECK(taken == 0);
}
