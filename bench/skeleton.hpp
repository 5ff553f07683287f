// The limit that merge is measured against: operations are decoded, looked up by a hash of their
// key, and compared, with nothing checked, nothing logged and nobody told.
//
// Format of a frame, which only this program reads: for each operation the key (16 bytes), a byte
// for the kind, a byte for the field, the stamp (8 bytes), and a value: its length in a byte, and
// its bytes. Everything that an engine has to know is in it, and it takes no parsing to speak of.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "fitness_w.hpp"
#include "joinery/base/prefetch.hpp"

namespace bench {

class skeleton {
 public:
  explicit skeleton(std::uint32_t records) {
    while ((std::size_t{1} << bits_) < 2 * std::size_t{records}) ++bits_;
    slots_.resize(std::size_t{1} << bits_);
    records_.reserve(records);
    for (std::uint32_t r = 0; r < records; ++r) find(fitness_key(r).data());
  }

  static void append(std::string& frame, std::string_view key, const fitness_op& op,
                     std::uint64_t stamp) {
    frame += key;
    frame.push_back(static_cast<char>(op.what));
    frame.push_back(static_cast<char>(op.what == fitness_op::set ? op.argument : 0));
    frame.append(reinterpret_cast<const char*>(&stamp), sizeof stamp);
    std::string_view value = op.value.text;
    if (op.what != fitness_op::set)
      value = {reinterpret_cast<const char*>(&op.argument), sizeof op.argument};
    else if (op.argument >= 4)
      value = {reinterpret_cast<const char*>(&op.value.number), sizeof op.value.number};
    frame.push_back(static_cast<char>(value.size()));
    frame += value;
  }

  /// How many operations it took in.
  std::size_t merge(std::string_view frame) {
    std::size_t ops = 0;
    const char* const end = frame.data() + frame.size();
    // Over many records nearly all of the time is waiting for memory: it is asked for early.
    const char* soon = frame.data();
    for (int i = 0; i < 8 && soon < end; ++i) soon = after(soon);
    const char* later = soon;
    for (int i = 0; i < 8 && later < end; ++i) later = after(later);
    for (const char* at = frame.data(); at < end; ++ops) {
      if (later < end) {
        joinery::prefetch(&slots_[home(hash_of(later))]);
        later = after(later);
      }
      if (soon < end) {
        prefetch_record(soon);
        soon = after(soon);
      }
      auto& r = find(at);
      const auto what = static_cast<fitness_op::kind>(at[16]);
      const auto field = static_cast<std::uint8_t>(at[17]);
      std::uint64_t stamp = 0;
      std::memcpy(&stamp, at + 18, sizeof stamp);
      const auto size = static_cast<std::uint8_t>(at[26]);
      const char* value = at + 27;
      if (what == fitness_op::set) {
        auto& c = r.cells[field];
        if (stamp > c.stamp) {
          c.stamp = stamp;
          c.size = size;
          std::memcpy(c.value.data(), value, size);
        }
      } else {
        std::uint32_t argument = 0;
        std::memcpy(&argument, value, sizeof argument);
        if (what == fitness_op::inc)
          r.xp += argument;
        else
          r.tag(argument, what == fitness_op::add ? stamp : 0);
      }
      at = value + size;
    }
    return ops;
  }

  [[nodiscard]] std::uint64_t xp(std::uint32_t r) const { return lookup(fitness_key(r))->xp; }
  [[nodiscard]] bool contains(std::string_view key) const { return lookup(key) != nullptr; }

 private:
  struct cell {
    std::uint64_t stamp = 0;
    std::uint8_t size = 0;
    std::array<char, 24> value{};
  };
  struct record {
    std::array<char, 16> key{};
    std::uint64_t xp = 0;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> tags;
    std::array<cell, fitness_fields> cells;

    void tag(std::uint32_t which, std::uint64_t stamp) {
      for (auto& t : tags)
        if (t.first == which) return static_cast<void>(t.second = stamp);
      tags.emplace_back(which, stamp);
    }
  };
  struct slot {
    std::uint32_t mark = 0;   // some bits of the key, to look at the record for nothing else
    std::uint32_t index = 0;  // one more than the record's place; 0: free
  };

  static const char* after(const char* op) { return op + 27 + static_cast<std::uint8_t>(op[26]); }
  static std::uint64_t hash_of(const char* key) {  // keys are random already
    std::uint64_t hash = 0;
    std::memcpy(&hash, key, sizeof hash);
    return hash;
  }
  [[nodiscard]] std::size_t home(std::uint64_t hash) const {
    return static_cast<std::size_t>(hash >> (64 - bits_));
  }
  void prefetch_record(const char* op) const {
    const auto& s = slots_[home(hash_of(op))];
    if (s.index == 0) return;
    const auto* r = reinterpret_cast<const char*>(&records_[s.index - 1]);
    const auto field = static_cast<std::uint8_t>(op[17]);
    joinery::prefetch(r);
    if (op[16] == fitness_op::set)
      joinery::prefetch(r + offsetof(record, cells) + field * sizeof(cell));
  }

  /// The record, made when there is none.
  record& find(const char* key) {
    if (auto* known = lookup({key, 16})) return *known;
    auto& fresh = records_.emplace_back();
    std::memcpy(fresh.key.data(), key, fresh.key.size());
    const auto hash = hash_of(key);
    auto i = home(hash);
    while (slots_[i & (slots_.size() - 1)].index != 0) ++i;
    slots_[i & (slots_.size() - 1)] = {static_cast<std::uint32_t>(hash),
                                       static_cast<std::uint32_t>(records_.size())};
    return fresh;
  }
  [[nodiscard]] const record* lookup(std::string_view key) const {
    const auto hash = hash_of(key.data());
    const auto mark = static_cast<std::uint32_t>(hash);
    for (auto i = home(hash);; ++i) {
      const auto& s = slots_[i & (slots_.size() - 1)];
      if (s.index == 0) return nullptr;
      if (s.mark != mark) continue;
      const auto& r = records_[s.index - 1];
      if (std::memcmp(r.key.data(), key.data(), r.key.size()) == 0) return &r;
    }
  }
  record* lookup(std::string_view key) {
    return const_cast<record*>(std::as_const(*this).lookup(key));
  }

  unsigned bits_ = 1;
  std::vector<slot> slots_;
  std::vector<record> records_;
};

}  // namespace bench
