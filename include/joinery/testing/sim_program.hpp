// sim_program: what runs on a simulated device: a program with a schema, or a relay without one.
//
// Purpose: lets one store be opened by a newer program, an older one, and a relay in turn.
// Invariants: none beyond those of the replica within.
// Thread-safety: none.
#pragma once

#include <memory>

#include "joinery/history/memory_storage.hpp"
#include "joinery/testing/workload.hpp"

namespace joinery::testing {

using sim_engine = engine<history::memory_storage>;

class sim_program {
 public:
  virtual ~sim_program() = default;
  [[nodiscard]] virtual sim_engine& endpoint() = 0;
  /// A transaction of up to `count` operations.
  virtual result<std::optional<causal::dot>> write(prng& random, std::size_t keys,
                                                   std::size_t count) = 0;
};

template <class Schema>
class typed_program final : public sim_program {
 public:
  using replica_type = replica<Schema, history::memory_storage>;

  static result<std::unique_ptr<sim_program>> open(history::memory_storage disk,
                                                   replica_options options) {
    auto opened = replica_type::open(std::move(disk), std::move(options));
    if (!opened) return opened.error();
    return std::unique_ptr<sim_program>{new typed_program{std::move(*opened)}};
  }
  sim_engine& endpoint() override { return replica_.endpoint(); }
  result<std::optional<causal::dot>> write(prng& random, std::size_t keys,
                                           std::size_t count) override {
    return replica_.write([&](auto& tx) {
      for (; count > 0; --count) operate<Schema>(tx, random, keys);
    });
  }

 private:
  explicit typed_program(replica_type r) : replica_(std::move(r)) {}
  replica_type replica_;
};

class relay_program final : public sim_program {
 public:
  static result<std::unique_ptr<sim_program>> open(history::memory_storage disk,
                                                   replica_options options) {
    auto opened = sim_engine::open(std::move(disk), std::move(options));
    if (!opened) return opened.error();
    return std::unique_ptr<sim_program>{new relay_program{std::move(*opened)}};
  }
  sim_engine& endpoint() override { return engine_; }
  result<std::optional<causal::dot>> write(prng&, std::size_t, std::size_t) override {
    return std::optional<causal::dot>{};
  }

 private:
  explicit relay_program(sim_engine e) : engine_(std::move(e)) {}
  sim_engine engine_;
};

}  // namespace joinery::testing
