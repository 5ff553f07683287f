// transaction: typed writes that become one changeset, and changes of local tables.
//
// Purpose: hands out the user's structs, bound to drafts of packed records. `replica::write`
// commits it when the body returns, and drops it when the body throws.
// Invariants: nothing of it is visible outside before the commit; drafts are kept in place while it
// lives.
// Thread-safety: one thread; must not be kept beyond `write`.
#pragma once

#include <deque>

#include "joinery/replica/draft.hpp"
#include "joinery/replica/engine.hpp"

namespace joinery {

namespace detail {

/// What drafts of local tables need.
template <class Engine>
class local_source final : public draft_source {
 public:
  explicit local_source(Engine& engine) : engine_(engine), time_(engine.next_own_stamp().second) {}

  bytes_view committed(std::string_view table, bytes_view key) override {
    if (table != table_ || key != key_) {  // a draft asks for its record again and again
      packed_ = engine_.local().record(table, key).value();
      table_ = table;
      key_ = key;
    }
    return packed_;
  }
  const state::name_table& names() const override { return engine_.local().names(); }
  const causal::roster& replicas() const override { return engine_.local().replicas(); }
  causal::stamp stamp() const override { return engine_.local().stamp(time_); }

 private:
  Engine& engine_;
  causal::hlc time_;
  std::string_view table_;
  bytes key_;
  shared_bytes packed_;
};

}  // namespace detail

template <class Schema, class Engine>
class transaction final : private detail::draft_source {
 public:
  explicit transaction(Engine& engine)
      : engine_(engine), stamp_(engine.next_own_stamp()), context_(engine.seen()), local_(engine) {
    context_.raise(stamp_.first);
  }
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;

  /// The record under `key`, made when there is none. On one that is there it is a touch: it
  /// survives a concurrent deletion. Throws `failure`: invalid_argument (empty key), too_large (a
  /// key above 400 bytes), and read errors.
  template <class Record>
  Record create(std::string_view key) {
    auto& d = draft_of<Record>(key);
    d.create();
    return bound<Record>(d);
  }
  /// The record under `key`, to change it. Throws `failure` (not_found) when there is none.
  template <class Record>
  Record edit(std::string_view key) {
    auto& d = draft_of<Record>(key);
    if (!d.alive())
      throw failure({errc::not_found, "there is no such record", d.where(),
                     "create it, or test with contains()"});
    return bound<Record>(d);
  }
  /// As `edit`; nothing when there is none.
  template <class Record>
  std::optional<Record> find(std::string_view key) {
    auto& d = draft_of<Record>(key);
    if (!d.alive()) return std::nullopt;
    return bound<Record>(d);
  }
  template <class Record>
  [[nodiscard]] bool contains(std::string_view key) {
    return draft_of<Record>(key).alive();
  }
  /// Deletes the record; false when there is none.
  template <class Record>
  bool erase(std::string_view key) {
    return draft_of<Record>(key).erase();
  }

  struct changes {
    codec::changeset_writer shared;
    codec::changeset_writer local;
  };
  /// All operations so far, moved out. For `replica::write`.
  changes take_changes() {
    changes out;
    for (auto& d : drafts_)
      for (auto& op : d.ops())
        (d.is_from(local_) ? out.local : out.shared).add(d.table(), d.key(), std::move(op));
    drafts_.clear();
    index_.clear();
    return out;
  }

 private:
  // What drafts of the record's table are based on.
  template <class Record>
  detail::draft_source& source() {
    if constexpr (Schema::template find<Record>::is_local)
      return local_;
    else
      return *this;
  }
  template <class Record>
  detail::draft& draft_of(std::string_view key) {
    using table = typename Schema::template find<Record>;
    if (key.empty())
      throw failure(
          {errc::invalid_argument, "an empty key", std::string{table::name}, "name the record"});
    if (key.size() > codec::max_key)
      throw failure({errc::too_large, "a key of " + std::to_string(key.size()) + " bytes",
                     std::string{table::name}, "the limit is " + std::to_string(codec::max_key)});
    const auto [at, fresh] = index_.try_emplace({table::name, bytes{key}}, nullptr);
    if (fresh) {
      try {
        at->second = &drafts_.emplace_back(source<Record>(), table::name, table::rule, bytes{key},
                                           table::rank);
      } catch (...) {
        index_.erase(at);
        throw;
      }
    }
    return *at->second;
  }
  template <class Record>
  static Record bound(detail::draft& d) {
    Record record;
    schema::bind(record, d);
    return record;
  }

  bytes_view committed(std::string_view table, bytes_view key) override {
    return engine_.record(table, key).value();
  }
  state::part_source* parts() override { return detail::parts_in(engine_); }
  const state::name_table& names() const override { return engine_.names(); }
  const causal::roster& replicas() const override { return engine_.replicas(); }
  causal::stamp stamp() const override { return {stamp_.first, stamp_.second, context_}; }

  Engine& engine_;
  std::pair<causal::dot, causal::hlc> stamp_;
  causal::version context_;
  detail::local_source<Engine> local_;
  std::deque<detail::draft> drafts_;
  std::map<std::pair<std::string_view, bytes>, detail::draft*> index_;
};

}  // namespace joinery
