// The workload fitness-W(N, R): one table of 10 000 records with six scalar fields, a counter and a
// set of tags; R replicas share the base and then make N/R operations each. The generator is fixed
// to the bit: a checksum over the operations is verified before anything is measured. Over another
// number of records it is the same workload, with records drawn out of that many.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

inline constexpr std::uint32_t fitness_records = 10'000;
inline constexpr std::uint32_t fitness_fields = 6;

/// FNV-1a of the operations of fitness-W(100 000, 4), and how many tags are left by them.
inline constexpr std::uint32_t fitness_checksum_of_100k_by_4 = 4'252'528'642;
inline constexpr std::size_t fitness_tags_of_100k_by_4 = 49'845;

/// The key of a record: the same on every replica, and as random as a key of a real program's, so
/// that no compressor and no tree profits from an order that real keys have not got.
inline std::string fitness_key(std::uint32_t record) {
  const auto mixed = [](std::uint64_t x) {  // the finaliser of splitmix64
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  };
  const auto first = mixed(record);
  const auto second = mixed(first);
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    key[i] = static_cast<char>(first >> (8 * i));
    key[8 + i] = static_cast<char>(second >> (8 * i));
  }
  return key;
}

class xorshift32 {
 public:
  explicit xorshift32(std::uint32_t seed) : x_(seed == 0 ? 1 : seed) {}
  std::uint32_t next() {
    x_ ^= x_ << 13;
    x_ ^= x_ >> 17;
    x_ ^= x_ << 5;
    return x_;
  }
  std::uint32_t below(std::uint32_t n) { return next() % n; }

 private:
  std::uint32_t x_;
};

struct fitness_value {
  std::string text;  ///< fields 0 to 3
  std::uint32_t number = 0;
};

struct fitness_op {
  enum kind : std::uint8_t { set, inc, add, remove } what{};
  std::uint32_t record = 0;
  std::uint32_t argument = 0;  ///< field, amount or tag
  fitness_value value;         ///< of a set
};

struct fitness_base_record {
  std::array<fitness_value, fitness_fields> values;
  std::vector<std::uint32_t> tags;
};

inline fitness_value fitness_val(xorshift32& random, std::uint32_t field) {
  fitness_value v;
  if (field >= 4) {
    v.number = random.below(1'000'000);
    return v;
  }
  const auto length = 8 + random.below(17);
  for (std::uint32_t i = 0; i < length; ++i)
    v.text.push_back(static_cast<char>('a' + random.below(26)));
  return v;
}

inline std::vector<fitness_base_record> fitness_base(std::uint32_t records = fitness_records) {
  xorshift32 random{0x12345678};
  std::vector<fitness_base_record> base(records);
  for (auto& record : base) {
    for (std::uint32_t f = 0; f < fitness_fields; ++f) record.values[f] = fitness_val(random, f);
    for (int i = 0; i < 4; ++i) {
      const auto tag = random.below(200);
      if (std::find(record.tags.begin(), record.tags.end(), tag) == record.tags.end())
        record.tags.push_back(tag);
    }
  }
  return base;
}

/// The operations of replica `r` out of `replicas`, `total` in all.
inline std::vector<fitness_op> fitness_ops(const std::vector<fitness_base_record>& base,
                                           std::uint32_t total, std::uint32_t replicas,
                                           std::uint32_t r) {
  xorshift32 random{0x9E3779B9u ^ ((r + 1) * 0x85EBCA6Bu)};
  std::vector<std::vector<std::uint32_t>> tags;
  for (const auto& record : base) tags.push_back(record.tags);
  std::vector<fitness_op> ops(total / replicas);
  for (auto& op : ops) {
    op.record = random.below(static_cast<std::uint32_t>(base.size()));
    auto& mine = tags[op.record];
    const auto p = random.below(100);
    if (p < 50) {
      op.what = fitness_op::set;
      op.argument = random.below(fitness_fields);
      op.value = fitness_val(random, op.argument);
    } else if (p < 70) {
      op.what = fitness_op::inc;
      op.argument = 1 + random.below(50);
    } else if (p < 90 || mine.empty()) {
      op.what = fitness_op::add;
      op.argument = random.below(200);
      if (std::find(mine.begin(), mine.end(), op.argument) == mine.end())
        mine.push_back(op.argument);
    } else {
      op.what = fitness_op::remove;
      const auto k = random.below(static_cast<std::uint32_t>(mine.size()));
      op.argument = mine[k];
      mine[k] = mine.back();
      mine.pop_back();
    }
  }
  return ops;
}

/// FNV-1a over 32-bit words; fitness-W(100 000, 4) gives 4252528642.
class fitness_checksum {
 public:
  void add(const fitness_op& op) {
    word(op.what);
    word(op.record);
    word(op.argument);
    if (op.what != fitness_op::set) return;
    for (const char c : op.value.text) word(static_cast<std::uint32_t>(c));
    if (op.argument >= 4) word(op.value.number);
  }
  [[nodiscard]] std::uint32_t value() const { return h_; }

 private:
  void word(std::uint32_t w) { h_ = (h_ ^ w) * 16777619u; }
  std::uint32_t h_ = 2166136261u;
};

}  // namespace bench
