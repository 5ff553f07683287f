// Fuzzer of values and of the cursors below them.
//
// Strategy: the first byte chooses a type, the rest is one value, or two with a length between.
// Invariants: what decodes is encoded again to the same bytes; within one type the order of the
// bytes is the order of the values; a number that a cursor reads is written back as it stood.
// Memory and time grow with the input.
#include "fuzz/support/input.hpp"
#include "joinery/causal/replica_id.hpp"
#include "joinery/crdt/value.hpp"

namespace fuzz::of_values {

using namespace joinery;
using joinery::crdt::decode_value;
using joinery::crdt::encode_value;

template <class T>
void check(bytes_view data) {
  input in{data};
  const auto first = in.block();
  const auto second = in.rest();
  for (const auto one : {first, second, data})
    if (const auto v = decode_value<T>(one))
      demand(encode_value(*v) == one,
             "a value that is encoded to other bytes than it was read from");
  const auto a = decode_value<T>(first), b = decode_value<T>(second);
  if (a && b) demand((*a < *b) == (first < second), "an order of bytes that is not that of values");
}

void check_cursor(bytes_view data) {
  bytes again;
  byte_writer out{again};
  byte_reader in{data};
  while (!in.at_end()) {
    const auto at = in.position();
    switch (at % 4) {
      case 0:
        if (const auto n = in.varint(); in.ok()) out.varint(n);
        break;
      case 1:
        if (const auto n = in.zigzag(); in.ok()) out.zigzag(n);
        break;
      case 2:
        if (const auto n = in.fixed64(); in.ok()) out.fixed64(n);
        break;
      default:
        if (const auto b = in.block(); in.ok()) out.block(b);
    }
    demand(!in.ok() || in.position() > at, "a cursor that does not move on");
    demand(!in.ok() || again.size() == in.position(), "what was read is written longer or shorter");
  }
  demand(data.starts_with(again), "what was read is written differently");
}

using checker = void (*)(bytes_view);
const checker checkers[] = {
    check_cursor,
    check<bool>,
    check<int>,
    check<std::int8_t>,
    check<std::uint64_t>,
    check<std::int64_t>,
    check<double>,
    check<std::string>,
    check<crdt::blob>,
    check<crdt::opaque>,
    check<replica_id>,
    check<std::chrono::system_clock::time_point>,
    check<std::optional<int>>,
    check<std::tuple<int, std::string>>,
    check<std::tuple<std::uint32_t, std::string, std::string, std::optional<bool>>>,
};

void run(bytes_view data) {
  input in{data};
  const auto check_one = in.pick(checkers);
  check_one(in.rest());
}

template <class T>
void add(std::vector<bytes>& out, std::size_t type, const T& a, const T& b) {
  bytes seed(1, static_cast<char>(type));
  write_block(seed, encode_value(a));
  out.push_back(seed += encode_value(b));
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  add(out, 1, true, false);
  add(out, 2, -70'000, 3);
  add(out, 3, std::int8_t{-128}, std::int8_t{127});
  add(out, 4, std::uint64_t{0}, ~std::uint64_t{0});
  add(out, 5, std::numeric_limits<std::int64_t>::min(), std::int64_t{-1});
  add(out, 6, -1.5, 1e300);
  add(out, 7, std::string("a\0b", 3), std::string{"a"});
  add(out, 8, crdt::blob{"\xFF"}, crdt::blob{});
  replica_id id;
  id.data.fill(7);
  add(out, 10, id, replica_id{});
  using point = std::chrono::system_clock::time_point;
  add(out, 11, point{}, point{} + std::chrono::hours(400'000));
  add(out, 12, std::optional<int>{}, std::optional<int>{5});
  add(out, 13, std::tuple<int, std::string>{1, "x"}, std::tuple<int, std::string>{1, "y"});
  bytes cursor(1, '\0');
  byte_writer w{cursor};
  w.varint(300);
  w.u8(1);
  w.fixed64(7);
  w.block("block");
  out.push_back(cursor);
  return out;
}

const registration here{{"values", run, seeds, {32, 16u << 10, 50}}};

}  // namespace fuzz::of_values
