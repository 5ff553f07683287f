// What fitness-W leaves behind, worked out without any engine: which tags, and how much XP each
// record has. What an engine merged is held against it.
#pragma once

#include <unordered_map>

#include "fitness_w.hpp"

namespace bench {

class fitness_model {
 public:
  explicit fitness_model(const std::vector<fitness_base_record>& base) : xp(base.size()) {
    for (std::uint32_t r = 0; r < base.size(); ++r)
      for (const auto tag : base[r].tags) tags_.emplace(name(r, tag), element{});
  }

  /// Takes in what one replica wrote, that had seen the base and nothing of the others: it replaced
  /// the base's mark of each tag that it touched, and its last word on the tag is its own mark.
  void merge(const std::vector<fitness_op>& ops) {
    std::unordered_map<std::uint64_t, bool> last;
    for (const auto& op : ops) {
      if (op.what == fitness_op::inc) xp[op.record] += op.argument;
      if (op.what == fitness_op::add || op.what == fitness_op::remove)
        last[name(op.record, op.argument)] = op.what == fitness_op::add;
    }
    for (const auto& [tag, added] : last) {
      auto& e = tags_.try_emplace(tag, element{false, false}).first->second;
      e.of_base = false;
      e.of_replicas = e.of_replicas || added;
    }
  }

  [[nodiscard]] std::size_t tags_left() const {
    std::size_t n = 0;
    for (const auto& [tag, e] : tags_) n += e.of_base || e.of_replicas ? 1 : 0;
    return n;
  }

  std::vector<std::uint64_t> xp;  ///< of each record

 private:
  struct element {
    bool of_base = true;
    bool of_replicas = false;
  };
  static std::uint64_t name(std::uint32_t record, std::uint32_t tag) {
    return std::uint64_t{record} << 8 | tag;
  }
  std::unordered_map<std::uint64_t, element> tags_;
};

}  // namespace bench
