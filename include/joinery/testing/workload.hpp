// workload: random operations on the tables of any schema.
//
// Purpose: what the simulator lets replicas write. An operation goes through the handles of the
// user's structs, as a program's does; what it then reads must be what it has just written.
// Invariants: values come from `arbitrary` (specialise it for a value type of your own), keys from
// a small set, so that replicas meet in the same places.
// Thread-safety: pure but for the prng.
#pragma once

#include "joinery/replica/replica.hpp"
#include "joinery/testing/arbitrary.hpp"

namespace joinery::testing {

/// A write that reads otherwise than it was written.
struct misread : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

inline void expect(bool holds, const char* what) {
  if (!holds) throw misread(what);
}

// What is wrong after a change would be wrong after any: looking at one in four suffices.
inline bool looks(prng& random) { return random.chance(25); }

template <class T>
void change_field(lww<T>& f, prng& random) {
  const auto v = arbitrary<T>::make(random);
  f = v;
  if (looks(random)) expect(f.get() == v && !f.in_conflict(), "a register, after it was set");
}
template <class T>
void change_field(mv<T>& f, prng& random) {
  const auto v = arbitrary<T>::make(random);
  f = v;
  if (looks(random)) expect(f.get() == std::vector<T>{v}, "an mv register, after it was set");
}
template <class T>
void change_field(or_set<T>& f, prng& random) {
  const auto v = arbitrary<T>::make(random);
  const bool insert = random.chance(60);
  insert ? f.insert(v) : f.erase(v);
  if (looks(random)) expect(f.contains(v) == insert, "a set, after a change of an element");
}
template <crdt::kind K>
void change_field(schema::counter_field<K>& f, prng& random) {
  const auto amount =
      static_cast<std::int64_t>(random.below(1000)) - (K == crdt::kind::pn_counter ? 400 : 0);
  const auto had = f.get();
  f.add(amount);
  expect(f.get() == had + amount, "a counter, after an increment");
}
template <class K>
void change_field(tally<K>& f, prng& random) {
  const auto key = arbitrary<K>::make(random);
  const auto amount = random.below(100);
  const auto had = f.at(key).value_or(0);
  f.grant(key, amount);
  if (looks(random)) expect(f.at(key) == std::max(had, amount), "a tally, after a grant");
}
template <class T, crdt::kind K>
void change_field(schema::extremum_field<T, K>& f, prng& random) {
  const auto v = arbitrary<T>::make(random);
  f.put(v);
  if (looks(random)) expect(f.get().has_value(), "an extreme, after a value was put");
}
inline void change_field(flag& f, prng& random) {
  const bool on = random.chance(60);
  f = on;
  if (looks(random)) expect(f.get() == on, "a flag, after it was set");
}
template <class K, class V>
void change_field(map<K, V>& f, prng& random) {
  const auto key = arbitrary<K>::make(random);
  const auto roll = random.below(100);
  if (roll < 15) {
    f.erase(key);
    if (looks(random)) expect(!f.contains(key), "a map, after an entry was erased");
    return;
  }
  if (roll < 30) {
    f.create(key);
  } else {
    auto&& inside = f[key];
    change_field(static_cast<V&>(inside), random);
  }
  // In a map within, nothing may have happened: an absent entry was erased.
  if (V::type().outer() != crdt::kind::map && looks(random))
    expect(f.contains(key), "a map, after a change of an entry");
}

template <class Record>
void change_record(Record& record, prng& random) {
  std::size_t count = 0;
  schema::detail::for_each_field(record, [&](std::string_view, auto&) { ++count; });
  auto chosen = random.below(count);
  schema::detail::for_each_field(record, [&](std::string_view, auto& f) {
    if (chosen-- == 0) change_field(f, random);
  });
}

template <class Table, class Transaction>
void operate_on(Transaction& tx, prng& random, std::size_t keys) {
  using record = typename Table::record_type;
  const auto key = "key " + std::to_string(random.below(keys));
  const auto roll = random.below(100);
  if (roll < 12) {
    tx.template erase<record>(key);
    expect(!tx.template contains<record>(key), "a record, after it was erased");
  } else if (roll < 30) {
    auto r = tx.template create<record>(key);
    if (random.chance(50)) change_record(r, random);
  } else if (auto r = tx.template find<record>(key)) {
    change_record(*r, random);
  }
}

template <class Schema>
struct workload_of;
template <class... Tables>
struct workload_of<tables<Tables...>> {
  template <class Transaction>
  static void operate(Transaction& tx, prng& random, std::size_t keys) {
    auto chosen = random.below(sizeof...(Tables));
    const auto visit = [&]<class Table>(const Table*) {
      if (chosen-- == 0) operate_on<Table>(tx, random, keys);
    };
    (visit(static_cast<const Tables*>(nullptr)), ...);
  }
};

}  // namespace detail

/// One operation on one of the schema's tables; perhaps none, where it has nothing to work on.
template <class Schema, class Transaction>
void operate(Transaction& tx, prng& random, std::size_t keys) {
  detail::workload_of<Schema>::operate(tx, random, keys);
}

}  // namespace joinery::testing
