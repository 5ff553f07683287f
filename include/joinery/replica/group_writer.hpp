// group_writer: writes of several threads, committed together.
//
// Purpose: a sync takes as long as hundreds of transactions. Threads that commit at the same time
// share one: each transaction is a changeset of its own, and returns when it is durable (with
// `durability::interval`: when it is stored, as `replica::write` does).
// Invariants: transactions are serial: each sees all that returned before it began, and what it
// finds of those before it in its group is durable no later than itself. While this lives, the
// replica is used through it alone, but for `replica::reader`.
// Thread-safety: any number of threads. Callbacks of `watch` run in whichever thread stores the
// group, and may not write.
#pragma once

#include "joinery/replica/replica.hpp"
#include "joinery/replica/write_group.hpp"

namespace joinery {

template <class Replica>
class group_writer {
 public:
  /// `of` must outlive this, and stay where it is.
  explicit group_writer(Replica& of) : of_(of), group_(of.port()) {}

  /// As `replica::write`, from any thread. Errors: also invalid_argument, from inside a transaction
  /// or a callback of `watch`. After an error of the storage none of the group was made.
  template <class F>
  result<std::optional<causal::dot>> write(F&& body) {
    return group_.write([&](detail::drafts_port& drafts) {
      typename Replica::transaction tx{drafts};
      body(tx);
    });
  }

  /// Runs `body(replica&)` while nobody writes: to sync, to tend, to watch. Errors:
  /// invalid_argument, as for `write`.
  template <class F>
  result<> alone(F&& body) {
    return group_.alone([&] { body(of_); });
  }

 private:
  Replica& of_;
  detail::write_group group_;
};

}  // namespace joinery
