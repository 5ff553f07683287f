// The oracle of a replica: what records must show, worked out from the graph of all changesets.
//
// Purpose: a second opinion on whole records. Every changeset is an event with all events that
// happened before it; a reading goes over all of them, literally as the contract says, every time.
// It includes nothing of joinery.
// Invariants: events are numbered in an order that respects causality; `seen` is closed under what
// happened before.
// Thread-safety: values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace oracle {

enum class leaf { lww, mv, set, counter, tally, max, min, flag };
enum class verb { create, update, erase, erase_for_good, amend };  // of a record
enum class deed {
  set,
  insert,
  remove,
  count,
  grant,
  put,
  enable,
  disable,
  make_entry,
  erase_entry
};

struct field_type {
  std::string name;
  std::size_t maps = 0;  ///< how many maps are around the leaf
  leaf inside{};
};

struct step {
  int key = 0;
  int life = 0;
};

struct operation {
  std::string table;
  int key = 0;
  verb what{};
  int life = 0;
  // Of an update:
  std::size_t field = 0;
  deed change{};
  std::vector<step> path{};  ///< the entries on the way, the one that is made or erased included
  std::int64_t x = 0, y = 0;
};

struct changeset {
  int replica = 0;
  std::uint64_t seq = 0;
  std::uint64_t time = 0;
  std::set<int> seen;
  std::vector<operation> operations;
};

struct occurrence {
  int event = 0;
  std::size_t index = 0;
  const operation* op = nullptr;
};
using occurrences = std::vector<occurrence>;

class world {
 public:
  std::map<int, changeset> events;
  std::vector<int> rank_of_id;  ///< replica → the place of its id among the ids
  std::map<std::string, std::vector<field_type>> tables;

  /// Everything that readers who know `known` see of one record.
  struct record {
    int life = 0;
    bool alive = false;
    occurrences updates;  ///< of this life
  };
  [[nodiscard]] record look(const std::set<int>& known, const std::string& table, int key) const {
    occurrences all;
    for (const int e : known) {
      const auto& operations = events.at(e).operations;
      for (std::size_t i = 0; i < operations.size(); ++i)
        if (operations[i].table == table && operations[i].key == key)
          all.push_back({e, i, &operations[i]});
    }
    record out;
    for (const auto& o : all) out.life = std::max(out.life, o.op->life);
    bool for_good = false;
    occurrences touches, erasures;
    for (const auto& o : all) {
      if (o.op->life != out.life) continue;
      for_good = for_good || o.op->what == verb::erase_for_good;
      const bool erases = o.op->what == verb::erase || o.op->what == verb::erase_for_good;
      if (o.op->what != verb::amend) (erases ? erasures : touches).push_back(o);
      if (o.op->what == verb::update || o.op->what == verb::amend) out.updates.push_back(o);
    }
    out.alive = !for_good && survives(touches, erasures);
    return out;
  }

  /// What a field shows.
  [[nodiscard]] std::string read(const field_type& field, const occurrences& all,
                                 std::size_t level = 0) const {
    if (level == field.maps) return read_leaf(field.inside, all);
    std::string out;
    for (const int key : keys(all, level)) {
      const auto entry = look_into(all, level, key);
      if (!entry.alive) continue;
      out += std::to_string(key) + ":(" + read(field, entry.updates, level + 1) + ")";
    }
    return out;
  }
  [[nodiscard]] std::string read(const std::set<int>& known, const std::string& table,
                                 int key) const {
    const auto r = look(known, table, key);
    if (!r.alive) return "none";
    std::string out;
    const auto& fields = tables.at(table);
    for (std::size_t f = 0; f < fields.size(); ++f)
      out += fields[f].name + "=" + read(fields[f], of_field(r.updates, f)) + "; ";
    return out;
  }

  /// How many registers of the record are in conflict.
  [[nodiscard]] int conflicts(const std::set<int>& known, const std::string& table, int key) const {
    const auto r = look(known, table, key);
    if (!r.alive) return 0;
    int n = 0;
    const auto& fields = tables.at(table);
    for (std::size_t f = 0; f < fields.size(); ++f)
      if (fields[f].inside == leaf::lww || fields[f].inside == leaf::mv)
        n += conflicts_in(fields[f], of_field(r.updates, f), 0);
    return n;
  }

  /// Says which lives `o` is meant for, as the last operation of event `e`, whose maker knows
  /// `known` (`e` included). False when the contract refuses it or there is nothing to do.
  [[nodiscard]] bool address(const std::set<int>& known, operation& o) const {
    const auto r = look(known, o.table, o.key);
    o.life = r.life + (r.alive ? 0 : 1);
    if (o.what == verb::create) return true;
    if (!r.alive) return false;
    if (o.what != verb::update) return true;
    auto all = of_field(r.updates, o.field);
    for (std::size_t level = 0; level < o.path.size(); ++level) {
      const auto entry = look_into(all, level, o.path[level].key);
      const bool last = level + 1 == o.path.size();
      if (last && o.change == deed::erase_entry && !entry.alive) return false;
      o.path[level].life = entry.life + (entry.alive ? 0 : 1);
      all = entry.alive ? entry.updates : occurrences{};
    }
    return true;
  }

 private:
  [[nodiscard]] bool before(const occurrence& a, const occurrence& b) const {
    if (a.event == b.event) return a.index < b.index;
    return events.at(b.event).seen.contains(a.event);
  }
  /// Whether some of `touches` was seen by none of `erasures`.
  [[nodiscard]] bool survives(const occurrences& touches, const occurrences& erasures) const {
    return std::any_of(touches.begin(), touches.end(), [&](const auto& t) {
      return std::none_of(erasures.begin(), erasures.end(),
                          [&](const auto& e) { return before(t, e); });
    });
  }
  static occurrences of_field(const occurrences& all, std::size_t field) {
    occurrences out;
    for (const auto& o : all)
      if (o.op->field == field) out.push_back(o);
    return out;
  }
  static std::set<int> keys(const occurrences& all, std::size_t level) {
    std::set<int> out;
    for (const auto& o : all) out.insert(o.op->path[level].key);
    return out;
  }
  /// The entry under `key` of a map at `level`.
  [[nodiscard]] record look_into(const occurrences& all, std::size_t level, int key) const {
    record out;
    for (const auto& o : all)
      if (o.op->path[level].key == key) out.life = std::max(out.life, o.op->path[level].life);
    occurrences touches, erasures;
    for (const auto& o : all) {
      if (o.op->path[level].key != key || o.op->path[level].life != out.life) continue;
      const bool of_entry = o.op->path.size() == level + 1;
      if (of_entry && o.op->change == deed::erase_entry) {
        erasures.push_back(o);
        continue;
      }
      touches.push_back(o);
      if (!(of_entry && o.op->change == deed::make_entry)) out.updates.push_back(o);
    }
    out.alive = survives(touches, erasures);
    return out;
  }

  [[nodiscard]] occurrences not_overwritten(const occurrences& all) const {
    occurrences out;
    for (const auto& o : all)
      if (std::none_of(all.begin(), all.end(), [&](const auto& later) { return before(o, later); }))
        out.push_back(o);
    return out;
  }
  [[nodiscard]] int conflicts_in(const field_type& field, const occurrences& all,
                                 std::size_t level) const {
    int n = 0;
    if (level == field.maps) {
      std::set<std::int64_t> values;
      for (const auto& o : not_overwritten(all)) values.insert(o.op->x);
      return values.size() > 1 ? 1 : 0;
    }
    for (const int key : keys(all, level)) {
      const auto entry = look_into(all, level, key);
      if (entry.alive) n += conflicts_in(field, entry.updates, level + 1);
    }
    return n;
  }

  [[nodiscard]] std::string read_leaf(leaf type, const occurrences& all) const {
    switch (type) {
      case leaf::lww:
      case leaf::mv: return read_register(type, all);
      case leaf::set: {
        std::set<std::int64_t> present;
        for (const auto& o : all)
          if (o.op->change == deed::insert && !undone(o, all, deed::remove))
            present.insert(o.op->x);
        return list(present);
      }
      case leaf::counter: {
        std::int64_t sum = 0;
        for (const auto& o : all) sum += o.op->x;
        return std::to_string(sum);
      }
      case leaf::tally: {
        std::map<std::int64_t, std::int64_t> best;
        for (const auto& o : all) best[o.op->x] = std::max(best[o.op->x], o.op->y);
        std::int64_t sum = 0;
        for (const auto& [key, amount] : best) sum += amount;
        return std::to_string(sum);
      }
      case leaf::max:
      case leaf::min: {
        if (all.empty()) return "none";
        auto best = all.front().op->x;
        for (const auto& o : all)
          best = type == leaf::max ? std::max(best, o.op->x) : std::min(best, o.op->x);
        return std::to_string(best);
      }
      case leaf::flag:
        for (const auto& o : all)
          if (o.op->change == deed::enable && !undone(o, all, deed::disable)) return "on";
        return "off";
    }
    return {};
  }
  [[nodiscard]] bool undone(const occurrence& o, const occurrences& all, deed by) const {
    return std::any_of(all.begin(), all.end(), [&](const auto& later) {
      return later.op->change == by && (by == deed::disable || later.op->x == o.op->x) &&
             before(o, later);
    });
  }
  [[nodiscard]] std::string read_register(leaf type, const occurrences& all) const {
    const auto standing = not_overwritten(all);
    std::set<std::int64_t> values;
    const occurrence* shown = nullptr;
    for (const auto& o : standing) {
      values.insert(o.op->x);
      const auto age = [&](const occurrence& w) {
        const auto& e = events.at(w.event);
        return std::pair{e.time, rank_of_id[static_cast<std::size_t>(e.replica)]};
      };
      if (shown == nullptr || age(o) > age(*shown)) shown = &o;
    }
    const std::string mark = values.size() > 1 ? "!" : "";
    if (type == leaf::mv) return list(values) + mark;
    return std::to_string(shown != nullptr ? shown->op->x : 0) + mark;
  }
  static std::string list(const std::set<std::int64_t>& values) {
    std::string out;
    for (const auto v : values) out += std::to_string(v) + ",";
    return out;
  }
};

}  // namespace oracle
