// JSON out of whatever is in a store: valid, in ASCII, and telling types apart.
#include "joinery/tool/json.hpp"

#include <catch2/catch.hpp>

#include "joinery/testing/prng.hpp"

using namespace joinery;
using crdt::encode_value;
using tool::json_string;
using tool::json_value;

TEST_CASE("texts are escaped, and what is no UTF-8 shows as the replacement character") {
  CHECK(json_string("plain") == "\"plain\"");
  CHECK(json_string("a \"b\" \\ c") == R"("a \"b\" \\ c")");
  CHECK(json_string("line\nend\x1B[31m\x7F") == R"("line\u000aend\u001b[31m\u007f")");
  CHECK(json_string("Zoë €") == R"("Zo\u00eb \u20ac")");
  CHECK(json_string("\xF0\x9F\x8F\x83") == R"("\ud83c\udfc3")");
  CHECK(json_string("\xC3") == R"("\ufffd")");
  CHECK(json_string("\xED\xA0\x80") == R"("\ufffd\ufffd\ufffd")");            // half of a pair
  CHECK(json_string("\xF4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");  // above all
  CHECK(json_string("\xC0\xAF") == R"("\ufffd\ufffd")");  // not the shortest form
  CHECK(json_string(std::string_view{"\0", 1}) == R"("\u0000")");
}

TEST_CASE("a value shows what its encoding says of it") {
  CHECK(json_value(encode_value(-42)) == "-42");
  CHECK(json_value(encode_value(~std::uint64_t{0})) == "18446744073709551615");
  CHECK(json_value(encode_value(std::numeric_limits<std::int64_t>::min())) ==
        "-9223372036854775808");
  CHECK(json_value(encode_value(2.0)) == "2.0");
  CHECK(json_value(encode_value(0.1)) == "0.1");
  CHECK(json_value(encode_value(1e300)) == "1e+300");
  CHECK(json_value(encode_value(-std::numeric_limits<double>::infinity())) ==
        "{\"double\":\"-inf\"}");
  CHECK(json_value(encode_value(std::numeric_limits<double>::infinity())) ==
        "{\"double\":\"inf\"}");
  CHECK(json_value(encode_value(true)) == "true");
  CHECK(json_value(encode_value(std::string{"fine"})) == "\"fine\"");
  CHECK(json_value(encode_value(std::optional<int>{})) == "null");
  CHECK(json_value(encode_value(crdt::blob{"\1\xFF"})) == "{\"hex\":\"01ff\"}");
  using nested = std::tuple<int, std::tuple<std::string, bool>, std::optional<double>>;
  CHECK(json_value(encode_value(nested{1, {"a", false}, std::nullopt})) ==
        "[1,[\"a\",false],null]");
  CHECK(json_value("\x99what") == "{\"hex\":\"9977686174\"}");
  CHECK(json_value("") == "{\"hex\":\"\"}");
}

TEST_CASE("keys are shown as text where they are text") {
  CHECK(tool::json_key("w 1") == "\"w 1\"");
  CHECK(tool::json_key("\xEF\xBF\xBD") == "\"\\ufffd\"");
  CHECK(tool::json_key("\xFF") == "{\"hex\":\"ff\"}");
  CHECK(tool::json_key("a\nb") == "{\"hex\":\"610a62\"}");
}

TEST_CASE("no bytes lead out of the text, and tuples end somewhere") {
  testing::prng random{5};
  for (int round = 0; round < 20'000; ++round) {
    bytes data;
    for (auto n = random.below(12); n > 0; --n) {
      const auto lead = random.chance(30) ? 5u : static_cast<unsigned>(random.below(256));
      data.push_back(static_cast<char>(static_cast<std::uint8_t>(lead)));
    }
    for (const auto& text : {json_string(data), json_value(data), tool::json_key(data)})
      for (const char c : text) REQUIRE((c >= 0x20 && c < 0x7F));
  }
  bytes deep = encode_value(1);
  for (int level = 0; level < 200; ++level) {
    bytes outer;
    byte_writer w{outer};
    w.u8(5);
    crdt::detail::write_escaped(w, deep);
    deep = outer;
  }
  CHECK(json_value(deep).starts_with("{\"hex\""));
}
