// amending: changes to living records that yield to all others, in changesets of bounded size.
//
// Purpose: what migrations (migration.hpp) need of an engine.
// Invariants: every changeset stands for itself: a broken-off run is simply run again.
// Thread-safety: none; lives for one run.
#pragma once

#include <list>

#include "joinery/replica/draft.hpp"

namespace joinery::detail {

/// `Tables`: an engine, or its local side.
template <class Tables>
class amending final : private draft_source, private migrated_record {
 public:
  amending(Tables& tables, const table_place& table) : tables_(tables), table_(table) {}

  /// Shows each living record to `fill`; how many were changed.
  result<std::size_t> run(function_ref<void(migrated_record&)> fill) {
    std::size_t all = 0;
    bytes from;
    for (bool more = true; more;) {
      stamp_ = tables_.next_own_stamp();
      context_ = tables_.seen();
      context_.raise(stamp_.first);
      if (auto read = collect(from, more, fill); !read) return read.error();
      auto done = tables_.commit(changes_);
      if (!done) return done.error();
      all += std::exchange(records_, 0);
      changes_.clear();
    }
    return all;
  }

 private:
  static constexpr std::size_t max_records = 256;
  static constexpr std::size_t max_bytes = 256u << 10;

  // Gathers the changes of the next records.
  result<> collect(bytes& from, bool& more, function_ref<void(migrated_record&)> fill) {
    more = false;
    size_ = 0;
    return tables_.for_each(table_.name, from, [&](bytes_view key, bytes_view packed) {
      if (records_ >= max_records || size_ >= max_bytes) {
        from = key;
        more = true;
        return false;
      }
      if (!crdt::read_cell(packed).alive()) return true;
      key_ = key;
      packed_ = packed;
      const auto before = size_;
      fill(*this);
      records_ += size_ > before ? 1 : 0;
      drafts_.clear();
      return true;
    });
  }

  draft_record& fresh_draft() override {
    draft_source& from = *this;
    return drafts_.emplace_back(from, table_.name, table_.rule, key_, draft::amends);
  }
  bool changed() override { return !drafts_.back().ops().empty(); }
  void keep() override {
    size_ += key_.size();
    for (auto& op : drafts_.back().ops()) {
      size_ += op.delta.size() + 8;
      changes_.add(table_.name, key_, std::move(op));
    }
  }

  bytes_view committed(std::string_view, bytes_view) override { return packed_; }
  state::part_source* parts() override { return parts_in(tables_); }
  const state::name_table& names() const override { return tables_.names(); }
  const causal::roster& replicas() const override { return tables_.replicas(); }
  causal::stamp stamp() const override { return {stamp_.first, stamp_.second, context_}; }

  Tables& tables_;
  table_place table_;
  std::pair<causal::dot, causal::hlc> stamp_;
  causal::version context_;
  bytes key_;          // of the record that is looked at
  bytes_view packed_;  // that record
  std::list<draft> drafts_;
  codec::changeset_writer changes_;
  std::size_t records_ = 0;  // in `changes_`
  std::size_t size_ = 0;     // of these, about
};

}  // namespace joinery::detail
