#include "joinery/codec/descriptor.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace joinery;
using crdt::kind;
using crdt::shape;

namespace {

schema::descriptor sample() {
  return {{{"profile",
            schema::delete_rule::update_wins,
            {{"name", kind::lww, "text"}, {"xp", shape::map_of(kind::pn_counter), "text int"}}},
           {"post", schema::delete_rule::delete_wins, {{"body", kind::mv, "text"}}}}};
}

std::optional<errc> code_of(bytes_view data) {
  const auto d = codec::decode_descriptor(data);
  return d ? std::nullopt : std::optional{d.error().code};
}

}  // namespace

TEST_CASE("a descriptor comes back as it was written") {
  CHECK(*codec::decode_descriptor(codec::encode_descriptor(sample())) == sample());
  CHECK(*codec::decode_descriptor(codec::encode_descriptor({})) == schema::descriptor{});
}

TEST_CASE("declared migrations travel with a field, and count in the fingerprint") {
  auto d = sample();
  d.tables[0].fields[0].formers = {{"nick", kind::mv, "text"}, {"name", kind::or_set, "int"}};
  CHECK(*codec::decode_descriptor(codec::encode_descriptor(d)) == d);
  CHECK(codec::fingerprint(d) != codec::fingerprint(sample()));
  auto turned = d;
  std::swap(turned.tables[0].fields[0].formers[0], turned.tables[0].fields[0].formers[1]);
  CHECK(codec::fingerprint(turned) == codec::fingerprint(d));
  d.tables[0].fields[0].formers[0].type = shape::from_code(42);  // only compared, never merged
  CHECK(codec::decode_descriptor(codec::encode_descriptor(d)));
  d.tables[0].fields[0].formers.assign(17, {"nick", kind::mv, "text"});
  CHECK(code_of(codec::encode_descriptor(d)) == errc::malformed);
  d.tables[0].fields[0].formers.assign(1, {"", kind::mv, "text"});
  CHECK(code_of(codec::encode_descriptor(d)) == errc::malformed);
}

TEST_CASE("the fingerprint knows no order, but everything else") {
  const auto first = codec::fingerprint(sample());
  auto turned = sample();
  std::swap(turned.tables[0], turned.tables[1]);
  std::swap(turned.tables[1].fields[0], turned.tables[1].fields[1]);
  CHECK(codec::fingerprint(turned) == first);

  auto other = sample();
  other.tables[0].rule = schema::delete_rule::delete_wins;
  CHECK(codec::fingerprint(other) != first);
  other = sample();
  other.tables[0].fields[0].name = "nick";
  CHECK(codec::fingerprint(other) != first);
  other = sample();
  other.tables[0].fields[0].type = kind::mv;
  CHECK(codec::fingerprint(other) != first);
  other = sample();
  other.tables[0].fields[0].values = "int";
  CHECK(codec::fingerprint(other) != first);
  other = sample();
  other.tables[1].fields.clear();
  CHECK(codec::fingerprint(other) != first);
}

TEST_CASE("descriptors that break the rules of descriptors are refused") {
  const auto with = [](auto change) {
    auto d = sample();
    change(d);
    return code_of(codec::encode_descriptor(d));
  };
  CHECK_FALSE(with([](auto&) {}));
  CHECK(with([](auto& d) { d.tables[1].name = "profile"; }) == errc::malformed);
  CHECK(with([](auto& d) { d.tables[0].fields[1].name = "name"; }) == errc::malformed);
  CHECK(with([](auto& d) { d.tables[0].name = ""; }) == errc::malformed);
  CHECK(with([](auto& d) { d.tables[0].name = std::string(65, 'n'); }) == errc::malformed);
  CHECK(with([](auto& d) { d.tables[0].fields[0].values = std::string(257, 'v'); }) ==
        errc::malformed);
  CHECK(with([](auto& d) {
          for (int i = 0; i < 300; ++i)
            d.tables.push_back({"t" + std::to_string(i), schema::delete_rule::update_wins, {}});
        }) == errc::malformed);
  CHECK(with([](auto& d) {
          for (int i = 0; i < 1100; ++i)
            d.tables[0].fields.push_back({"f" + std::to_string(i), kind::lww, "int"});
        }) == errc::malformed);
}

TEST_CASE("kinds and rules of a newer joinery are refused as unsupported, with their place") {
  auto d = sample();
  d.tables[0].fields[1].type = shape::from_code(42);
  const auto kind = codec::decode_descriptor(codec::encode_descriptor(d));
  REQUIRE_FALSE(kind);
  CHECK(kind.error().code == errc::unsupported);
  CHECK(kind.error().where == "profile.xp");
  d = sample();
  d.tables[1].rule = static_cast<schema::delete_rule>(2);
  CHECK(code_of(codec::encode_descriptor(d)) == errc::unsupported);
  CHECK(code_of(bytes{"\x92\x02\x90", 3}) == errc::unsupported);
  CHECK(code_of(bytes{"\x93\x07\x90\x01", 4}) == errc::unsupported);
}

TEST_CASE("mutated descriptors give a value or an error") {
  const auto good = codec::encode_descriptor(sample());
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK(code_of(good.substr(0, n)) == errc::malformed);
  std::mt19937 random{3};
  for (int round = 0; round < 20'000; ++round) {
    auto changed = good;
    for (auto n = 1 + random() % 3; n > 0; --n)
      changed[random() % changed.size()] = static_cast<char>(random());
    const auto d = codec::decode_descriptor(changed);
    if (d) CHECK(codec::encode_descriptor(*d).size() <= changed.size());
  }
}
