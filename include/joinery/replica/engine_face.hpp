// engine_face: an engine, as the façade sees it.
//
// Purpose: the ports (ports.hpp) over an engine and whatever storage it has.
// Invariants: those of the engine, which stays where it is.
// Thread-safety: as the engine.
#pragma once

#include "joinery/replica/amending.hpp"
#include "joinery/replica/drafts.hpp"
#include "joinery/replica/image_face.hpp"
#include "joinery/replica/index_cursor.hpp"

namespace joinery::detail {

/// `Tables`: an engine, or its local side.
template <class Tables>
class tables_face final : public tables_port {
 public:
  explicit tables_face(Tables& tables) : tables_(tables) {}

  std::unique_ptr<row_record> find(std::string_view table, bytes_view key) override {
    return row(table, key, tables_.record(table, key).value());
  }
  void for_each(std::string_view table, bytes_view from,
                function_ref<bool(row_record&)> each) override {
    show_living(tables_, table, from, each,
                [&](bytes_view key, bytes_view packed) { return access(table, key, packed); });
  }
  std::unique_ptr<row_record> row(std::string_view table, bytes_view key,
                                  shared_bytes packed) override {
    if (!crdt::read_cell(packed).alive()) return nullptr;
    return std::make_unique<row_access>(access(table, key, std::move(packed)));
  }
  void scan_index(index_query q, bytes_view cursor,
                  function_ref<bool(bytes_view, bytes_view, const shared_bytes&)> each) override {
    if (!cursor.empty()) q.after = read_cursor(q, cursor).value();
    tables_.scan_index(q, each).value();
  }
  bytes cursor_behind(const index_query& q, bytes_view value, bytes_view key) override {
    return write_cursor(q, value, key);
  }
  result<std::size_t> amend(const table_place& table,
                            function_ref<void(migrated_record&)> fill) override {
    return amending<Tables>{tables_, table}.run(fill);
  }
  result<> note_migrated() override { return tables_.note_migrated(); }

 private:
  template <class Packed>
  row_access access(std::string_view table, bytes_view key, Packed packed) {
    return {table, key, std::move(packed), tables_.names(), tables_.replicas(), parts_in(tables_)};
  }

  Tables& tables_;
};

template <class Storage>
class engine_face final : public engine_port {
 public:
  explicit engine_face(joinery::engine<Storage> e)
      : engine_(std::move(e)), shared_(engine_), local_(engine_.local()) {}
  engine_face(const engine_face&) = delete;
  engine_face& operator=(const engine_face&) = delete;

  [[nodiscard]] joinery::engine<Storage>& engine() noexcept { return engine_; }

  tables_port& tables(bool local) override {
    return local ? static_cast<tables_port&>(local_) : shared_;
  }
  result<std::optional<causal::dot>> write(function_ref<void(drafts_port&)> body) override {
    auto changes = run(body, [] { return result<>{}; });
    if (!changes) return changes.error();
    return engine_.commit(changes->shared, changes->local);
  }
  result<gathered> gather(function_ref<void(drafts_port&)> body,
                          function_ref<result<>()> settle) override {
    auto changes = run(body, settle);
    if (!changes) return changes.error();
    if (changes->local.empty() && changes->shared.empty()) return gathered{};
    if (changes->local.empty()) {
      auto at = engine_.add_to_group(changes->shared);
      if (!at) return at.error();
      return gathered{*at, true, engine_.group_is_full()};
    }
    if (engine_.has_group())
      if (auto settled = settle(); !settled) return settled.error();
    auto at = engine_.commit(changes->shared, changes->local);
    if (!at) return at.error();
    return gathered{*at, false, false};
  }
  result<> commit_gathered() override { return engine_.commit_group(); }
  subscription watch(watch_filter filter, change_feed::callback call) override {
    return engine_.watch(std::move(filter), std::move(call));
  }
  result<std::shared_ptr<image_port>> read_now() override {
    auto image = engine_.read_now();
    if (!image) return image.error();
    return std::shared_ptr<image_port>{std::make_shared<image_face<Storage>>(std::move(*image))};
  }
  result<crypto::digest> digest() override { return engine_.digest(); }
  result<std::vector<state::conflict>> conflicts() override { return engine_.conflicts(); }
  [[nodiscard]] replica_status status() const override { return engine_.status(); }
  void note_migration_error(std::optional<error> e) override {
    engine_.note_migration_error(std::move(e));
  }
  result<std::optional<causal::dot>> close_membership() override {
    return engine_.close_membership();
  }
  result<std::optional<causal::dot>> admit(const replica_id& id, const std::string& name) override {
    return engine_.admit(id, name);
  }
  result<std::optional<causal::dot>> evict(const replica_id& id) override {
    return engine_.evict(id);
  }
  result<std::vector<member>> members() override { return engine_.members(); }
  result<> tend() override { return engine_.tend(); }
  result<> checkpoint() override { return engine_.checkpoint(); }
  result<> flush() override { return engine_.flush(); }

 private:
  using drafts_type = drafts<joinery::engine<Storage>>;

  // The operations of a transaction.
  result<typename drafts_type::changes> run(function_ref<void(drafts_port&)> body,
                                            function_ref<result<>()> settle) {
    // What it has settled itself is no change to it.
    auto before = commits();
    const auto settle_first = [&] {
      auto settled = settle();
      before = commits();
      return settled;
    };
    drafts_type made{engine_, settle_first};
    try {
      body(made);
    } catch (const failure& f) {
      return f.error();
    }
    if (commits() != before)
      return error{errc::invalid_argument, "the replica changed during a transaction", "",
                   "do not sync or write from inside replica::write"};
    return made.take_changes();
  }
  [[nodiscard]] std::uint64_t commits() const {
    return engine_.log_size() + engine_.local_commits();
  }

  joinery::engine<Storage> engine_;
  tables_face<joinery::engine<Storage>> shared_;
  tables_face<typename joinery::engine<Storage>::local_side> local_;
};

template <class Storage>
result<std::unique_ptr<engine_port>> open_engine(Storage storage, replica_options options) {
  auto opened = joinery::engine<Storage>::open(std::move(storage), std::move(options));
  if (!opened) return opened.error();
  return std::unique_ptr<engine_port>{std::make_unique<engine_face<Storage>>(std::move(*opened))};
}

}  // namespace joinery::detail
