// intake: decides what becomes of a batch of changesets, before anything is changed.
//
// Purpose: sorts what arrived into new, known, and too early; pulls in held ones whose turn has
// come; refuses the whole batch on the first fault. What it accepted is then stored in one
// transaction and folded.
// Invariants: accepted changesets are in causal order; nothing of the replica's versions moves
// here; what is only held leaves no trace in the roster; one that waits under a dot gives way to
// another only when that one's turn has come, and is then evidence of a fork: it must not stand in
// the way of what everybody else has.
// Thread-safety: none; lives for one call.
#pragma once

#include <memory>
#include <set>
#include <unordered_map>

#include "joinery/replica/admission.hpp"
#include "joinery/replica/held.hpp"
#include "joinery/replica/replica_state.hpp"

namespace joinery::detail {

struct accepted_changeset {
  bytes_view data;
  bytes own;                ///< `data`, where nobody else keeps it during the call
  codec::changeset parsed;  ///< views into `data`
  resolved_changeset here;
  causal::dot at;
  history::log_place place;
  std::vector<std::uint32_t> numbers;  ///< of its records, when it goes into the log
  bool was_held = false;               ///< and stands among the held ones in the storage
};

/// Changesets whose memory is used again: taking one apart takes none, most of the time.
class changeset_pool {
 public:
  using candidate = std::unique_ptr<accepted_changeset>;

  candidate take() {
    if (spare_.empty()) return std::make_unique<accepted_changeset>();
    auto out = std::move(spare_.back());
    spare_.pop_back();
    return out;
  }
  void give_back(candidate c) {
    constexpr std::size_t most = 128, most_operations = 64;
    if (spare_.size() >= most || c->parsed.ops.capacity() > most_operations) return;
    if (!c->own.empty()) c->own = {};
    c->was_held = false;
    spare_.push_back(std::move(c));
  }

 private:
  std::vector<candidate> spare_;
};

/// Whose changesets are taken in, and how much may wait.
struct intake_rules {
  bool own = false;             ///< written by this replica itself, just now
  std::uint64_t latest_ms = 0;  ///< stamps after this are held
  std::size_t held_bytes = 0;
  std::size_t held_changesets = 0;
};

class intake {
 public:
  using candidate = changeset_pool::candidate;

  intake(replica_state& state, const held_changesets& held, intake_rules rules, admission members,
         changeset_pool& pool)
      : state_(state),
        held_(held),
        rules_(rules),
        members_(std::move(members)),
        pool_(pool),
        seen_(state.seen) {}
  intake(const intake&) = delete;
  intake& operator=(const intake&) = delete;
  ~intake() {
    for (auto& a : accepted) pool_.give_back(std::move(a));
  }

  /// Takes in one changeset; `data` must outlive this. `is_same(dot, bytes) -> result<>` compares
  /// one that is known with the log.
  template <class Same>
  result<> take(bytes_view data, Same&& is_same) {
    auto parsed = parse(data, false);
    if (!parsed) return parsed.error();
    auto& c = **parsed;
    const held_changesets::name name{c.parsed.origin, c.parsed.seq};
    auto v = judge(c.parsed);
    if (!v) return v.error();
    if (*v == verdict::known) {
      ++known;
      const causal::dot at{*state_.replicas.find(name.first), name.second};
      if (state_.seen.seen(at)) return is_same(at, data);
      const auto twin = std::find_if(accepted.begin(), accepted.end(),
                                     [&](const auto& a) { return a->at == at; });
      return (*twin)->data == data ? result<>{} : forked(name);
    }
    if (*v == verdict::next && to_hold.empty() && held_.empty())
      return accept(std::move(*parsed)), result<>{};
    if (const auto fresh = to_hold.find(name); fresh != to_hold.end() && fresh->second != data)
      return forked(name);
    const auto* waiting = held_.find(name);
    const bool parts = waiting != nullptr && *waiting != data;
    if (*v == verdict::next) {
      if (parts) outrun.emplace_back(name, *waiting);
      c.was_held = waiting != nullptr;
      to_hold.erase(name);
      return accept(std::move(*parsed)), result<>{};
    }
    if (parts) return ++left_out, result<>{};
    if (waiting != nullptr || to_hold.contains(name)) return ++known, result<>{};
    return hold(name, data);
  }

  /// Accepts whatever is held and whose turn has come, until nothing moves any more. One that was
  /// held before and turns out to be at fault fails nothing: it is to be dropped, or, as evidence
  /// of a fork, goes on waiting.
  result<> release() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& origin : waiting_origins()) {
        for (;;) {
          const held_changesets::name next{origin, next_seq(origin)};
          const auto fresh = to_hold.find(next);
          const auto* data = fresh != to_hold.end() ? &fresh->second : held_.find(next);
          if (data == nullptr || to_drop.contains(next)) break;
          auto parsed = parse(*data, true);  // it may be erased before it is folded
          auto v = parsed ? judge((*parsed)->parsed) : result<verdict>{parsed.error()};
          if (!v && fresh != to_hold.end()) return v.error();
          if (!v && v.error().code != errc::fork) to_drop.insert(next);
          if (!v || *v != verdict::next) break;
          (*parsed)->was_held = fresh == to_hold.end();
          accept(std::move(*parsed));
          if (fresh != to_hold.end()) to_hold.erase(fresh);
          moved = true;
        }
      }
    }
    return {};
  }

  /// Whether an accepted changeset concerns a table or field of that name. Precondition: the names
  /// in them were looked up.
  [[nodiscard]] bool names(std::string_view name) const {
    const auto index = state_.names.find(name);
    return index && std::any_of(accepted.begin(), accepted.end(), [&](const auto& a) {
             const auto& all = a->here.names;
             return std::find(all.begin(), all.end(), *index) != all.end();
           });
  }

  std::vector<candidate> accepted;
  std::map<held_changesets::name, bytes> to_hold;
  std::set<held_changesets::name> to_drop;  ///< held before, and no good
  /// Held before under the dot of an accepted one, with other bytes: evidence of a fork.
  std::vector<std::pair<held_changesets::name, bytes>> outrun;
  std::size_t known = 0;
  std::size_t left_out = 0;  ///< too early, and another waits under the dot

  /// Writes down what became of the batch.
  template <history::storage_writer W>
  void store(W& to) const {
    using history::area;
    std::vector<history::appended> all;
    all.reserve(accepted.size());
    const bool by_number = history::packs_log(to);
    for (const auto& a : accepted) {
      if (by_number) note_numbers(to, *a);
      all.push_back({a->at, a->data, a->place.chain, a->numbers});
    }
    history::append_changesets(to, state_.last_position + 1, all);
    for (const auto& a : accepted) {
      if (a->was_held)
        to.erase(area::held, held_changesets::storage_key({a->parsed.origin, a->parsed.seq}));
    }
    for (const auto& [name, data] : to_hold)
      history::put_sealed(to, area::held, held_changesets::storage_key(name), data);
    for (const auto& name : to_drop) to.erase(area::held, held_changesets::storage_key(name));
  }

  /// Calls `each` for what was accepted, in order. A write to a device takes so long that records
  /// are not in the processor's caches any more: each one's are fetched while those before it are
  /// at work.
  template <class F>
  void for_each_accepted(F&& each) const {
    constexpr std::size_t ahead = 2;
    const auto expect = [&](std::size_t i) {
      if (i < accepted.size()) accepted[i]->here.expect_slots();
      if (i > 0 && i <= accepted.size()) accepted[i - 1]->here.expect_bytes();
    };
    for (std::size_t i = 0; i < ahead; ++i) expect(i);
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      expect(i + ahead);
      each(*accepted[i]);
    }
  }

  /// How many bytes of changesets are to be stored.
  [[nodiscard]] std::size_t size() const noexcept {
    std::size_t sum = 0;
    for (const auto& a : accepted) sum += a->data.size();
    for (const auto& [name, data] : to_hold) sum += data.size();
    return sum;
  }

  static std::string where(const held_changesets::name& name) {
    return "changeset " + std::to_string(name.second) + " of replica " + name.first.hex();
  }
  static error forked(const held_changesets::name& name) {
    return {errc::fork, "two different changesets under one dot", where(name),
            "one of the two stores is a copy of the other: give it a new replica id"};
  }

 private:
  enum class verdict { next, known, early };

  result<candidate> parse(bytes_view data, bool keep) {
    auto c = pool_.take();
    if (keep) c->own = data;
    c->data = keep ? bytes_view{c->own} : data;
    if (auto done = codec::decode_changeset(c->data, c->parsed); !done) return done.error();
    return c;
  }

  result<verdict> judge(const codec::changeset& c) {
    const held_changesets::name name{c.origin, c.seq};
    const auto origin = find(c.origin);
    const auto before = origin ? seen_.at(*origin) : 0;
    if (c.seq <= before) return verdict::known;
    if (c.origin == state_.self && !rules_.own) return older_than_known(name);
    if (c.seq != before + 1) return verdict::early;
    const auto* previous = origin ? &staged(*origin) : nullptr;
    if (previous != nullptr && c.time <= previous->time)
      return error{errc::malformed, "a stamp that is not above its origin's previous one",
                   where(name), "the replica that wrote it is at fault"};
    for (const auto& s : c.seen) {
      const auto r = state_.replicas.find(s.replica);
      if (!r) return verdict::early;
      const auto sum = (previous != nullptr ? previous->seen.at(*r) : 0) + s.increase;
      if (sum > codec::max_seq)
        return error{errc::malformed, "a version beyond its limit", where(name), ""};
      if (sum <= seen_.at(*r)) continue;
      if (s.replica == state_.self) return older_than_known(name);
      return verdict::early;
    }
    if (rules_.own) return verdict::next;
    if (causal::hlc_ms(c.time) > rules_.latest_ms) return verdict::early;
    auto in = members_.judge(c, [&](causal::dot at) { return saw(c, previous, at); });
    if (!in) return in.error();
    return verdict::next;
  }

  /// Whether the writer of `c`, whose previous changeset left it at `previous`, had seen `at`.
  [[nodiscard]] bool saw(const codec::changeset& c, const history::origin_state* previous,
                         causal::dot at) const {
    const auto& id = state_.replicas[at.replica];
    if (id == c.origin) return at.seq < c.seq;
    auto have = previous != nullptr ? previous->seen.at(at.replica) : 0;
    for (const auto& s : c.seen)
      if (s.replica == id) have += s.increase;
    return at.seq <= have;
  }

  void accept(candidate c) {
    const auto& id = c->parsed.origin;
    c->at = {is_last(id) ? last_.index : state_.index_of(id), c->parsed.seq};
    auto& origin = staged(c->at.replica);
    last_ = {id, c->at.replica, &origin};
    c->place.position = state_.last_position + accepted.size() + 1;
    c->place.chain = history::chain_next(origin.chain, c->data);
    state_.advance(origin, c->at, c->parsed, c->place.chain);
    seen_.raise(c->at);
    members_.accepted(c->parsed, c->at);
    accepted.push_back(std::move(c));
  }

  template <history::storage_view V>
  void note_numbers(V& view, accepted_changeset& a) const {
    a.numbers.clear();
    for (const auto* slot : a.here.records)
      a.numbers.push_back(
          slot != nullptr ? state_.proven.proven(view, slot->number(), slot->name().key) : 0);
  }

  static error older_than_known(const held_changesets::name& name) {
    return {errc::fork, "a peer knows more of this replica than the store does", where(name),
            "the store was put back from an older image: open it under a new replica id"};
  }

  result<> hold(const held_changesets::name& name, bytes_view data) {
    held_size_ += data.size();
    if (held_.size() + held_size_ > rules_.held_bytes ||
        held_.count() + to_hold.size() >= rules_.held_changesets)
      return error{errc::flooded, "too many changesets wait for their predecessors", where(name),
                   "sync with a peer that has what they wait for"};
    to_hold.emplace(name, data);
    return {};
  }

  [[nodiscard]] std::uint64_t next_seq(const replica_id& origin) const {
    const auto r = state_.replicas.find(origin);
    return (r ? seen_.at(*r) : 0) + 1;
  }
  [[nodiscard]] std::vector<replica_id> waiting_origins() const {
    auto out = held_.origins();
    for (const auto& [name, data] : to_hold) out.push_back(name.first);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  // Nearly always changesets of one origin stand together.
  [[nodiscard]] bool is_last(const replica_id& id) const noexcept {
    return last_.staged != nullptr && last_.id == id;
  }
  [[nodiscard]] std::optional<causal::replica_index> find(const replica_id& id) const {
    return is_last(id) ? last_.index : state_.replicas.find(id);
  }
  // A copy of what the origin will have been once the batch is in.
  history::origin_state& staged(causal::replica_index origin) {
    return last_.staged != nullptr && last_.index == origin ? *last_.staged : stage(origin);
  }
  history::origin_state& stage(causal::replica_index origin) {
    const auto [at, fresh] = staged_.try_emplace(origin);
    if (fresh) at->second = state_.origins[origin];
    return at->second;
  }

  replica_state& state_;
  const held_changesets& held_;
  intake_rules rules_;
  admission members_;
  changeset_pool& pool_;
  causal::version seen_;
  struct {
    replica_id id;
    causal::replica_index index = 0;
    history::origin_state* staged = nullptr;
  } last_;  // accepted
  std::unordered_map<causal::replica_index, history::origin_state> staged_;
  std::size_t held_size_ = 0;
};

}  // namespace joinery::detail
