// drafts: the records of a write transaction.
//
// Purpose: a draft for each record that the transaction asks for, and in the end all their
// operations.
// Invariants: drafts stay where they are while this lives.
// Thread-safety: none; lives in one `write`.
#pragma once

#include <deque>
#include <map>

#include "joinery/replica/draft.hpp"
#include "joinery/replica/engine.hpp"

namespace joinery::detail {

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

template <class Engine>
class drafts final : public drafts_port, private draft_source {
 public:
  /// `settle`: as in `engine_port::gather`.
  drafts(Engine& engine, function_ref<result<>()> settle)
      : engine_(engine),
        settle_(settle),
        stamp_(engine.next_own_stamp()),
        context_(engine.seen()),
        local_(engine) {
    context_.raise(stamp_.first);
  }
  drafts(const drafts&) = delete;
  drafts& operator=(const drafts&) = delete;

  draft_record& draft_of(const table_place& table, std::string_view key) override {
    if (key.empty())
      throw failure(
          {errc::invalid_argument, "an empty key", std::string{table.name}, "name the record"});
    if (key.size() > codec::max_key)
      throw failure({errc::too_large, "a key of " + std::to_string(key.size()) + " bytes",
                     std::string{table.name}, "the limit is " + std::to_string(codec::max_key)});
    const auto [at, fresh] = index_.try_emplace({table.name, bytes{key}}, nullptr);
    if (fresh) {
      try {
        if (engine_.group_touches(table.name, key))
          if (auto settled = settle_(); !settled) throw failure(settled.error());
        draft_source& source = table.local ? static_cast<draft_source&>(local_) : *this;
        at->second = &drafts_.emplace_back(source, table.name, table.rule, bytes{key}, table.rank);
      } catch (...) {
        index_.erase(at);
        throw;
      }
    }
    return *at->second;
  }

  struct changes {
    codec::changeset_writer shared;
    codec::changeset_writer local;
  };
  /// All operations so far, moved out.
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
  bytes_view committed(std::string_view table, bytes_view key) override {
    return engine_.record(table, key).value();
  }
  state::part_source* parts() override { return parts_in(engine_); }
  const state::name_table& names() const override { return engine_.names(); }
  const causal::roster& replicas() const override { return engine_.replicas(); }
  causal::stamp stamp() const override { return {stamp_.first, stamp_.second, context_}; }

  Engine& engine_;
  function_ref<result<>()> settle_;
  std::pair<causal::dot, causal::hlc> stamp_;
  causal::version context_;
  local_source<Engine> local_;
  std::deque<draft> drafts_;
  std::map<std::pair<std::string_view, bytes>, draft*> index_;
};

}  // namespace joinery::detail
