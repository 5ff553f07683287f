// Values as bytes: order, round trips, and what is refused.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include "joinery/causal/replica_id.hpp"
#include "joinery/crdt/value.hpp"
#include "joinery/testing/arbitrary.hpp"

namespace {

using namespace joinery::crdt;
using joinery::bytes;
using joinery::bytes_view;
using joinery::testing::arbitrary;
using joinery::testing::prng;

enum class sport : std::uint8_t { run, ride, swim = 200 };
enum class mood : std::int16_t { bad = -300, fair = 0, good = 300 };
template <class Duration>
using time_in = std::chrono::time_point<std::chrono::system_clock, Duration>;
using std::chrono::milliseconds;

/// Integers of every width and both signs, thick around the places where the encoding grows by a
/// byte.
template <class T>
std::vector<T> integers() {
  using limits = std::numeric_limits<T>;
  std::vector<T> out{limits::min(), limits::max(), static_cast<T>(limits::max() - 1)};
  for (int bit = 0; bit < limits::digits; ++bit)
    for (int delta = -1; delta <= 1; ++delta) {
      const auto v = static_cast<T>((T{1} << bit) + static_cast<T>(delta));
      out.push_back(v);
      if constexpr (limits::is_signed) out.push_back(static_cast<T>(-v));
    }
  prng random(11);
  for (int i = 0; i < 50; ++i) out.push_back(static_cast<T>(random.next() >> random.below(64)));
  return out;
}

std::vector<double> doubles() {
  using limits = std::numeric_limits<double>;
  std::vector<double> out{
      0.0, limits::min(), limits::denorm_min(),    limits::max(), limits::infinity(),
      1.0, 0.1,           1.0 + limits::epsilon(), 1e-300,        4.9e300};
  prng random(12);
  for (int i = 0; i < 100; ++i)
    if (const auto d = std::bit_cast<double>(random.next()); !std::isnan(d)) out.push_back(d);
  for (auto n = out.size(); n-- > 0;) out.push_back(-out[n]);
  return out;
}

std::vector<std::string> texts() {
  std::vector<std::string> out{"", "a", "aa", "ab", "b"};
  const char alphabet[] = {'\0', '\1', '\x7F', '\x80', '\xFE', '\xFF'};
  prng random(13);
  for (int i = 0; i < 150; ++i) {
    std::string s;
    for (auto n = random.below(6); n > 0; --n) s.push_back(random.pick(alphabet));
    out.push_back(s);
  }
  return out;
}

template <class T>
std::vector<T> arbitrary_values() {
  std::vector<T> out;
  prng random(14);
  for (int i = 0; i < 120; ++i) out.push_back(arbitrary<T>::make(random));
  return out;
}

template <class T, class From>
std::vector<T> each_as(const From& from) {
  std::vector<T> out;
  for (const auto& v : from) out.push_back(T{v});
  return out;
}

template <class T>
void check_order_and_round_trip(const std::vector<T>& values) {
  std::size_t wrong = 0;
  for (const auto& a : values) {
    const auto encoded = encode_value(a);
    const auto back = decode_value<T>(encoded);
    if (!back || !(*back == a) || encoded.empty()) ++wrong;
    for (const auto& b : values) {
      const auto other = encode_value(b);
      if ((a < b) != (encoded < other) || (a == b) != (encoded == other)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

template <class... T>
void check_integers() {
  (check_order_and_round_trip(integers<T>()), ...);
}

TEST_CASE("the order of integers is the order of their bytes, in every width") {
  check_integers<std::int8_t, std::int16_t, std::int32_t, std::int64_t, long long>();
  check_integers<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, unsigned long long>();
}

TEST_CASE("the order of doubles is the order of their bytes") {
  check_order_and_round_trip(doubles());
}

TEST_CASE("the order of texts, blobs and ids is the order of their bytes, zeros inside included") {
  check_order_and_round_trip(texts());
  check_order_and_round_trip(each_as<blob>(texts()));
  check_order_and_round_trip(arbitrary_values<joinery::replica_id>());
}

TEST_CASE("the order of enums, booleans and optionals is the order of their bytes") {
  check_order_and_round_trip<bool>({false, true});
  check_order_and_round_trip<sport>({sport::run, sport::ride, sport::swim});
  check_order_and_round_trip<mood>({mood::bad, mood::fair, mood::good});
  auto maybe = each_as<std::optional<std::string>>(texts());
  maybe.push_back(std::nullopt);
  check_order_and_round_trip(maybe);
  auto maybe_number = each_as<std::optional<int>>(integers<int>());
  maybe_number.push_back(std::nullopt);
  check_order_and_round_trip(maybe_number);
}

TEST_CASE("the order of times is the order of their bytes, before 1970 as after") {
  std::vector<time_in<milliseconds>> points;
  for (const auto ms : integers<std::int64_t>()) points.emplace_back(milliseconds{ms});
  check_order_and_round_trip(points);
  std::vector<std::chrono::sys_days> days;
  for (const auto d : integers<std::int16_t>()) days.emplace_back(std::chrono::days{d});
  check_order_and_round_trip(days);
}

TEST_CASE("the order of tuples is the order of their bytes") {
  check_order_and_round_trip(arbitrary_values<std::tuple<std::string, int>>());
  check_order_and_round_trip(arbitrary_values<std::tuple<std::string, std::string, bool>>());
  check_order_and_round_trip(
      arbitrary_values<std::tuple<std::optional<std::string>, std::optional<int>, double>>());
  check_order_and_round_trip(
      arbitrary_values<std::tuple<std::tuple<std::string>, std::tuple<blob, std::string>>>());
}

TEST_CASE("both zeros of a double are one value") {
  CHECK(encode_value(-0.0) == encode_value(0.0));
  CHECK_FALSE(std::signbit(*decode_value<double>(encode_value(-0.0))));
}

TEST_CASE("NaN is refused, with a word on what to do") {
  for (const auto nan : {std::numeric_limits<double>::quiet_NaN(), -std::nan("7")}) {
    try {
      (void)encode_value(nan);
      FAIL("NaN was taken");
    } catch (const joinery::failure& f) {
      CHECK(f.error().code == joinery::errc::invalid_argument);
      CHECK_FALSE(f.error().advice.empty());
    }
  }
  const double nan = std::nan("");
  CHECK_THROWS_AS(encode_value(std::optional{nan}), joinery::failure);
  CHECK_THROWS_AS(encode_value(std::tuple{1, std::tuple{nan}}), joinery::failure);
  for (const bytes_view bits :
       {bytes_view{"\xFF\xF8\0\0\0\0\0\0", 8}, bytes_view{"\0\7\0\0\0\0\0\0", 8}})
    CHECK(decode_value<double>("\x21" + bytes{bits}) == std::nullopt);
}

TEST_CASE("an integer that does not fit is refused, never cut") {
  CHECK(decode_value<std::int8_t>(encode_value(127)) == 127);
  CHECK(decode_value<std::int8_t>(encode_value(128)) == std::nullopt);
  CHECK(decode_value<std::int8_t>(encode_value(-128)) == -128);
  CHECK(decode_value<std::int8_t>(encode_value(-129)) == std::nullopt);
  CHECK(decode_value<std::uint64_t>(encode_value(-1)) == std::nullopt);
  CHECK(decode_value<std::int64_t>(encode_value(std::uint64_t{1} << 63)) == std::nullopt);
  CHECK(decode_value<sport>(encode_value(256)) == std::nullopt);
  // Nine bytes' worth of negative number: −2^63 − 1.
  CHECK(decode_value<std::int64_t>(bytes_view{"\x0C\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 9}) ==
        std::nullopt);
}

TEST_CASE("every integer type is one type on disk") {
  CHECK(encode_value(std::uint8_t{7}) == encode_value(std::int64_t{7}));
  CHECK(decode_value<std::uint64_t>(encode_value(std::int16_t{300})) == 300);
  CHECK(encode_value(mood::bad) == encode_value(-300));
}

TEST_CASE("an integer is encoded as FoundationDB's tuple layer has it") {
  CHECK(joinery::to_hex(encode_value(0)) == "14");
  CHECK(joinery::to_hex(encode_value(1)) == "1501");
  CHECK(joinery::to_hex(encode_value(-1)) == "13fe");
  CHECK(joinery::to_hex(encode_value(-255)) == "1300");
  CHECK(joinery::to_hex(encode_value(-256)) == "12feff");
  CHECK(joinery::to_hex(encode_value(std::numeric_limits<std::int64_t>::min())) ==
        "0c7fffffffffffffff");
  CHECK(joinery::to_hex(encode_value(std::string("a\0b", 3))) == "026100ff6200");
  CHECK(joinery::to_hex(encode_value(1.0)) == "21bff0000000000000");
}

TEST_CASE("a value of one type is never read as another") {
  CHECK(decode_value<std::string>(encode_value(7)) == std::nullopt);
  CHECK(decode_value<int>(encode_value(std::string("7"))) == std::nullopt);
  CHECK(decode_value<bool>(encode_value(1)) == std::nullopt);
  CHECK(decode_value<double>(encode_value(1)) == std::nullopt);
  CHECK(decode_value<blob>(encode_value(std::string("x"))) == std::nullopt);
  CHECK(decode_value<joinery::replica_id>(encode_value(blob{"fifteen bytes.."})) == std::nullopt);
  using pair = std::tuple<int, int>;
  CHECK(decode_value<pair>(encode_value(std::tuple<int, int, int>{1, 2, 3})) == std::nullopt);
  CHECK(decode_value<pair>(encode_value(std::tuple<int>{1})) == std::nullopt);
}

TEST_CASE("an absent optional is not an empty one") {
  using maybe = std::optional<std::string>;
  CHECK(encode_value(maybe{}) != encode_value(maybe{""}));
  CHECK(decode_value<maybe>(encode_value(maybe{})) == std::optional<maybe>{maybe{}});
  CHECK(decode_value<std::string>(encode_value(maybe{"x"})) == "x");
}

/// Whether some bytes are taken for a T although a T is never written so.
template <class T>
bool takes_a_second_form(bytes_view data) {
  const auto v = decode_value<T>(data);
  return v && encode_value(*v) != data;
}

template <class T>
void check_canonical(const bytes& data, std::size_t& accepted, std::string& wrong) {
  if (decode_value<T>(data)) ++accepted;
  if (takes_a_second_form<T>(data))
    wrong = std::string{value_traits<T>::name} + " " + joinery::to_hex(data);
}

template <class... T>
void check_canonical_forms() {
  prng random(15);
  const char leads[] = {'\0',   '\1',   '\2',   '\5',   '\x0C', '\x13', '\x14',
                        '\x15', '\x16', '\x1C', '\x21', '\x26', '\x27'};
  std::string wrong;
  std::size_t accepted = 0;
  const auto check = [&](const bytes& data) { (check_canonical<T>(data, accepted, wrong), ...); };
  for (int i = 0; i < 4000; ++i) {
    // Bytes at random, and encoded values with a byte changed, cut or added.
    bytes data(1, random.pick(leads));
    for (auto n = random.below(10); n > 0; --n)
      data.push_back(random.chance(40) ? random.pick(leads) : static_cast<char>(random.next()));
    check(data);
    std::vector<bytes> real{encode_value(arbitrary<T>::make(random))...};
    auto& some = real[static_cast<std::size_t>(random.below(real.size()))];
    const auto at = static_cast<std::size_t>(random.below(some.size()));
    if (random.chance(50))
      some[at] = random.chance(50) ? random.pick(leads) : static_cast<char>(random.next());
    else if (random.chance(50))
      some.erase(at, 1);
    else
      some.insert(at, 1, random.pick(leads));
    check(some);
  }
  CHECK(wrong == "");
  CHECK(accepted > 1000);  // or the test would show nothing
}

TEST_CASE("bytes that are read as a value are the bytes of that value") {
  check_canonical_forms<bool, int, std::int8_t, std::uint64_t, std::int64_t, double>();
  check_canonical_forms<std::string, blob, joinery::replica_id, std::optional<int>,
                        std::tuple<std::string, std::optional<int>>>();
}

TEST_CASE("times coarser than milliseconds are read only where they fit") {
  check_canonical_forms<time_in<milliseconds>, std::chrono::sys_seconds, std::chrono::sys_days>();
  CHECK(decode_value<std::chrono::sys_seconds>(
            encode_value(time_in<milliseconds>{milliseconds{1500}})) == std::nullopt);
  using days32 = time_in<std::chrono::duration<std::int32_t, std::ratio<86'400>>>;
  const std::int64_t day_ms = 86'400'000;
  CHECK(decode_value<days32>(encode_value((day_ms << 31) - day_ms)) == days32::max());
  CHECK(decode_value<days32>(encode_value(day_ms << 31)) == std::nullopt);
  for (const auto ms : integers<std::int64_t>())
    CHECK_FALSE(takes_a_second_form<std::chrono::sys_seconds>(encode_value(ms)));
}

TEST_CASE("a time finer than milliseconds is cut to them, towards the past") {
  using fine = time_in<std::chrono::nanoseconds>;
  CHECK(decode_value<fine>(encode_value(fine{std::chrono::nanoseconds{1'999'999}})) ==
        fine{milliseconds{1}});
  CHECK(decode_value<fine>(encode_value(fine{std::chrono::nanoseconds{-1}})) ==
        fine{milliseconds{-1}});
  // More milliseconds than nanoseconds can count.
  CHECK(decode_value<fine>(encode_value(std::numeric_limits<std::int64_t>::max())) == std::nullopt);
}

TEST_CASE("a time that milliseconds cannot reach is refused") {
  using hours = time_in<std::chrono::duration<std::int64_t, std::ratio<3600>>>;
  CHECK_THROWS_AS(encode_value(hours::max()), joinery::failure);
  CHECK_THROWS_AS(encode_value(hours::min()), joinery::failure);
}

TEST_CASE("a clock whose ticks no milliseconds hit still keeps its times") {
  using frames = time_in<std::chrono::duration<std::int64_t, std::ratio<1, 60>>>;
  for (const std::int64_t n : {-61, -1, 0, 1, 2, 3, 59, 60, 61}) {
    const frames at{frames::duration{n}};
    CHECK(decode_value<frames>(encode_value(at)) == at);
  }
}

TEST_CASE("the ends of every clock can be stored and read") {
  using fine = time_in<std::chrono::nanoseconds>;
  CHECK(decode_value<fine>(encode_value(fine::max())) <= fine::max());
  CHECK(decode_value<fine>(encode_value(fine::min())).has_value());
  CHECK(decode_value<fine>(encode_value(fine::min())) < fine{});
}

TEST_CASE("a truncated value is refused") {
  const auto check = [](auto v) {
    using T = decltype(v);
    const auto whole = encode_value(v);
    for (std::size_t n = 0; n < whole.size(); ++n)
      CHECK(decode_value<T>(bytes_view{whole}.substr(0, n)) == std::nullopt);
    CHECK(decode_value<T>(whole + '\0') == std::nullopt);
  };
  check(std::int64_t{-123456789});
  check(2.5);
  check(std::string("abc"));
  check(blob{"xyz"});
  check(std::tuple<std::string, int>{"x", 7});
  check(joinery::replica_id{{1, 0, 2}});
}

}  // namespace
