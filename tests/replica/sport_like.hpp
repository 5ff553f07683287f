// Two tables with every kind of field, the oracle's account of them, and one operation done through
// the handles.
//
// Purpose: drive replicas by the operations that the oracle understands, and read records as the
// oracle writes them.
// Thread-safety: values.
#pragma once

#include "joinery/history/memory_storage.hpp"
#include "joinery/replica/replica.hpp"
#include "joinery/testing/prng.hpp"
#include "tests/replica/oracle.hpp"

namespace replica_tests {

using namespace joinery;
using history::area;
using history::durability;
using history::memory_operation;
using history::memory_storage;
using testing::prng;

struct athlete {
  BOOST_HANA_DEFINE_STRUCT(athlete, (lww<int>, name), (mv<int>, motto), (or_set<int>, badges),
                           (pn_counter, xp), (g_counter, visits), (tally<int>, grants),
                           (max_of<int>, longest), (min_of<int>, first), (flag, shares),
                           (map<int, or_set<int>>, gear), (map<int, map<int, pn_counter>>, laps));
};
struct entry {
  BOOST_HANA_DEFINE_STRUCT(entry,
    (pn_counter, likes), (map<int, lww<int>>, replies), (lww<int>, text));
};
using app = tables<table<"athletes", athlete>, table<"entries", entry, delete_wins>>;
using replica_type = replica<app, memory_storage>;
using tx_type = replica_type::transaction;

inline std::map<std::string, std::vector<oracle::field_type>> tables_of_app() {
  using oracle::leaf;
  return {{"athletes",
           {{"name", 0, leaf::lww},
            {"motto", 0, leaf::mv},
            {"badges", 0, leaf::set},
            {"xp", 0, leaf::counter},
            {"visits", 0, leaf::counter},
            {"grants", 0, leaf::tally},
            {"longest", 0, leaf::max},
            {"first", 0, leaf::min},
            {"shares", 0, leaf::flag},
            {"gear", 1, leaf::set},
            {"laps", 2, leaf::counter}}},
          {"entries",
           {{"likes", 0, leaf::counter}, {"replies", 1, leaf::lww}, {"text", 0, leaf::lww}}}};
}

// --- Reading ---

inline std::string show(const lww<int>& f) {
  return std::to_string(*f) + (f.in_conflict() ? "!" : "");
}
inline std::string show_all(const std::vector<int>& values) {
  std::string out;
  for (const int v : values) out += std::to_string(v) + ",";
  return out;
}
inline std::string show(const mv<int>& f) {
  return show_all(f.get()) + (f.in_conflict() ? "!" : "");
}
inline std::string show(const or_set<int>& f) { return show_all(f.get()); }
template <crdt::kind K>
std::string show(const schema::counter_field<K>& f) {
  return std::to_string(*f);
}
inline std::string show(const tally<int>& f) { return std::to_string(*f); }
template <crdt::kind K>
std::string show(const schema::extremum_field<int, K>& f) {
  const auto v = f.get();
  return v ? std::to_string(*v) : "none";
}
inline std::string show(const flag& f) { return *f ? "on" : "off"; }
template <class V>
std::string show(const map<int, V>& f) {
  std::string out;
  for (const int key : f.keys()) out += std::to_string(key) + ":(" + show(f[key]) + ")";
  return out;
}
template <class Record>
std::string show_record(const Record& r) {
  std::string out;
  schema::detail::for_each_field(const_cast<Record&>(r), [&](std::string_view name, const auto& f) {
    out += std::string{name} + "=" + show(f) + "; ";
  });
  return out;
}

// --- Writing ---

inline std::string key_of(int key) { return "key " + std::to_string(key); }

template <class F>
void change_set(F&& f, const oracle::operation& o) {
  if (o.change == oracle::deed::insert)
    f.insert(static_cast<int>(o.x));
  else
    f.erase(static_cast<int>(o.x));
}
/// True when the last step of `o.path` is itself what is made or erased.
template <class Map>
bool change_entry(Map&& m, const oracle::operation& o, std::size_t level) {
  if (o.path.size() != level + 1) return false;
  if (o.change == oracle::deed::make_entry) return m.create(o.path[level].key), true;
  if (o.change == oracle::deed::erase_entry) return m.erase(o.path[level].key), true;
  return false;
}

inline void change(athlete& r, const oracle::operation& o) {
  const auto x = static_cast<int>(o.x);
  switch (o.field) {
    case 0: r.name = x; break;
    case 1: r.motto = x; break;
    case 2: change_set(r.badges, o); break;
    case 3: r.xp += x; break;
    case 4: r.visits += x; break;
    case 5: r.grants.grant(x, static_cast<std::uint64_t>(o.y)); break;
    case 6: r.longest.put(x); break;
    case 7: r.first.put(x); break;
    case 8: r.shares = o.change == oracle::deed::enable; break;
    case 9:
      if (!change_entry(r.gear, o, 0)) change_set(r.gear[o.path[0].key], o);
      break;
    default:
      if (change_entry(r.laps, o, 0)) break;
      if (change_entry(r.laps[o.path[0].key], o, 1)) break;
      r.laps[o.path[0].key][o.path[1].key] += x;
  }
}
inline void change(entry& r, const oracle::operation& o) {
  const auto x = static_cast<int>(o.x);
  if (o.field == 0)
    r.likes += x;
  else if (o.field == 2)
    r.text = x;
  else if (!change_entry(r.replies, o, 0))
    r.replies[o.path[0].key] = x;
}

/// Does `o` in `tx`; false when it is refused or there was nothing to do.
template <class Record>
bool perform(tx_type& tx, const oracle::operation& o) {
  const auto key = key_of(o.key);
  switch (o.what) {
    case oracle::verb::create: tx.create<Record>(key); return true;
    case oracle::verb::update: {
      auto r = tx.find<Record>(key);
      if (r) change(*r, o);
      return r.has_value();
    }
    default: return tx.erase<Record>(key);
  }
}
inline bool perform(tx_type& tx, const oracle::operation& o) {
  return o.table == "athletes" ? perform<athlete>(tx, o) : perform<entry>(tx, o);
}

// --- Making up operations ---

/// `dice` has `below(n)` and `chance(percent)`.
template <class Dice>
oracle::operation random_operation(Dice& dice, int keys) {
  using oracle::deed;
  using oracle::verb;
  oracle::operation o;
  const bool first_table = dice.chance(65);
  o.table = first_table ? "athletes" : "entries";
  o.key = static_cast<int>(dice.below(static_cast<std::uint64_t>(keys)));
  const auto what = dice.below(100);
  o.what = what < 20     ? verb::create
           : what < 85   ? verb::update
           : first_table ? verb::erase
                         : verb::erase_for_good;
  if (o.what != verb::update) return o;
  const auto types = tables_of_app().at(o.table);
  o.field = dice.below(types.size());
  const auto& type = types[o.field];
  o.x = static_cast<std::int64_t>(dice.below(3));
  for (std::size_t level = 0; level < type.maps; ++level) {
    o.path.push_back({static_cast<int>(dice.below(2)), 0});
    if (!dice.chance(25)) continue;
    o.change = dice.chance(50) ? deed::make_entry : deed::erase_entry;
    return o;
  }
  const bool yes = dice.chance(60);
  switch (type.inside) {
    case oracle::leaf::set: o.change = yes ? deed::insert : deed::remove; break;
    case oracle::leaf::flag: o.change = yes ? deed::enable : deed::disable; break;
    case oracle::leaf::counter: o.change = deed::count; break;
    case oracle::leaf::tally: o.change = deed::grant; break;
    case oracle::leaf::lww:
    case oracle::leaf::mv: o.change = deed::set; break;
    default: o.change = deed::put;
  }
  o.y = static_cast<std::int64_t>(dice.below(5));
  if (o.change == deed::count && type.name != "visits") o.x -= 1;
  return o;
}

}  // namespace replica_tests
