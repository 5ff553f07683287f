// greeting: the first messages of a session, until both know what the other has.
//
// Purpose: hello and heads both ways at once; the schema descriptors where their fingerprints
// differ. Finds unknown versions, other spaces, forks and contradicting schemas before anything
// else is exchanged.
// Invariants: takes hello, then exactly the heads that it announced, then one schema if due;
// anything else is `protocol`.
// Thread-safety: none; guarded by the session.
#pragma once

#include "joinery/codec/descriptor.hpp"
#include "joinery/sync/admission.hpp"
#include "joinery/sync/heads_comparison.hpp"
#include "joinery/sync/hello.hpp"
#include "joinery/sync/lineage.hpp"
#include "joinery/sync/outbox.hpp"

namespace joinery::sync {

/// A message that the session's state does not allow.
inline error out_of_place(message type, std::string_view when) {
  return {errc::protocol,
          "message " + std::to_string(static_cast<int>(type)) + " " + std::string{when}, "",
          "the peer is at fault"};
}
inline error unreadable(std::string_view name) {
  return {errc::malformed, "a message \"" + std::string{name} + "\" that cannot be read", "",
          "the peer is at fault"};
}

template <endpoint E>
class greeting {
 public:
  /// Says hello.
  result<> open(E& e, const session_options& options, outbox& out) {
    if constexpr (requires { e.known(); })
      if (auto done = e.known(); !done) return done;
    std::vector<history::head> ours = e.heads();
    std::erase_if(ours, [](const auto& h) { return h.seq == 0; });
    if (ours.size() > max_origins)
      return error{errc::too_large, "a space of " + std::to_string(ours.size()) + " origins", "",
                   "a session names at most " + std::to_string(max_origins)};
    hello m;
    m.space = e.space();
    m.replica = e.self();
    m.fingerprint = fingerprint_ = codec::fingerprint(e.descriptor());
    m.head_count = ours.size();
    m.max_frame = options.max_frame;
    m.credit = options.window;
    m.idle_ms = options.idle_timeout_ms;
    m.verify = options.verify;
    m.selective = options.tables.has_value();
    m.memory = options.memory;
    if (ours.size() <= few_heads) {
      out.put(message::hello, encode(m));
      tell(ours, out);
      return {};
    }
    std::sort(ours.begin(), ours.end(),
              [](const auto& a, const auto& b) { return a.origin < b.origin; });
    m.heads = heads_comparison::digest_of(ours);
    out.put(message::hello, encode(m));
    ours_ = std::move(ours);
    return {};
  }

  /// Takes one message; true when the greeting is over.
  result<bool> take(E& e, message type, bytes_view payload, lineage<E>& chains, outbox& out) {
    if (type == message::hello && next_ == stage::hello) return take_hello(e, payload, chains, out);
    if (type == message::heads && next_ == stage::heads && !comparison_)
      return take_heads(e, payload, chains, out);
    if (type == message::ranges && next_ == stage::heads && comparison_)
      return take_ranges(e, payload, chains, out);
    if (type == message::schema && next_ == stage::schema) return take_schema(e, payload);
    return out_of_place(type, "while greeting");
  }

  [[nodiscard]] const hello& peer() const noexcept { return peer_; }
  /// What the peer had when it said hello.
  [[nodiscard]] const std::vector<history::head>& heads() const noexcept { return heads_; }
  void forget_heads() { heads_ = {}; }

 private:
  enum class stage { hello, heads, schema, done };

  result<bool> take_hello(E& e, bytes_view payload, lineage<E>& chains, outbox& out) {
    const auto m = read_hello(payload);
    if (!m) return unreadable("hello");
    if (m->oldest > protocol_version || m->version < oldest_protocol_version)
      return error{
          errc::unsupported,
          "the peer speaks protocol " + std::to_string(m->oldest) + " to " +
              std::to_string(m->version),
          "", "this program speaks " + std::to_string(protocol_version) + ": update the older one"};
    if (m->space != e.space())
      return error{errc::wrong_space, "the peer's space is " + m->space.hex(),
                   "ours is " + e.space().hex(), "name the same space on both sides"};
    if (m->replica == e.self() && !settling_endpoint<E>)
      return error{errc::fork, "the peer has this replica's own id", "replica " + m->replica.hex(),
                   "it is this very store, or a copy of it: a copy needs a new replica id"};
    if (auto in = admits(e, m->replica); !in) return in.error();
    peer_ = *m;
    next_ = stage::heads;
    if (ours_.empty()) return peer_.head_count == 0 ? compare(e, chains, out) : result<bool>{false};
    auto ours = std::exchange(ours_, {});
    if (!peer_.heads) {  // it has few, and told them already
      tell(ours, out);
      return peer_.head_count == 0 ? compare(e, chains, out) : result<bool>{false};
    }
    if (*peer_.heads == heads_comparison::digest_of(ours)) {
      heads_ = std::move(ours);
      return compare(e, chains, out);
    }
    comparison_.emplace(std::move(ours), peer_.head_count);
    say_round(out);
    return false;
  }

  static void tell(std::span<const history::head> heads, outbox& out) {
    while (!heads.empty()) {
      const auto n = std::min(heads.size(), heads_per_message);
      out.put(message::heads, encode_heads(heads.first(n)));
      heads = heads.subspan(n);
    }
  }
  void say_round(outbox& out) const {
    for (const auto& said : comparison_->round()) out.put(message::ranges, said);
  }

  result<bool> take_ranges(E& e, bytes_view payload, lineage<E>& chains, outbox& out) {
    const auto over = comparison_->take(payload);
    if (!over) return unreadable("ranges");
    if (!*over) return false;
    if (!comparison_->done()) return say_round(out), false;
    heads_ = std::move(*comparison_).theirs();
    comparison_.reset();
    return compare(e, chains, out);
  }

  result<bool> take_heads(E& e, bytes_view payload, lineage<E>& chains, outbox& out) {
    const auto more = read_heads(payload);
    if (!more || more->empty() || more->size() > peer_.head_count - heads_.size())
      return unreadable("heads");
    heads_.insert(heads_.end(), more->begin(), more->end());
    return heads_.size() == peer_.head_count ? compare(e, chains, out) : result<bool>{false};
  }

  result<bool> compare(E& e, lineage<E>& chains, outbox& out) {
    std::unordered_set<replica_id> named;
    for (const auto& h : heads_) {
      if (!named.insert(h.origin).second) return unreadable("heads");
      if (auto same = chains.check(e, h); !same) return same.error();
    }
    if (peer_.fingerprint == fingerprint_) {
      next_ = stage::done;
      return true;
    }
    const auto ours = codec::encode_descriptor(e.descriptor());
    if (ours.size() + codec::min_frame_body > peer_.max_frame)
      return error{errc::too_large, "a schema of " + std::to_string(ours.size()) + " bytes", "",
                   "the peer takes " + std::to_string(peer_.max_frame)};
    out.put(message::schema, ours);
    next_ = stage::schema;
    return false;
  }

  result<bool> take_schema(E& e, bytes_view payload) {
    const auto theirs = codec::decode_descriptor(payload);
    if (!theirs) return theirs.error();
    if (auto conflict = schema::contradiction(e.descriptor(), *theirs)) return *conflict;
    next_ = stage::done;
    return true;
  }

  // So many are told at once, and nobody waits for an answer.
  static constexpr std::size_t few_heads = 64;

  stage next_ = stage::hello;
  std::uint64_t fingerprint_ = 0;
  hello peer_;
  std::vector<history::head> heads_;
  std::vector<history::head> ours_;  // what was not told: there are many
  std::optional<heads_comparison> comparison_;
};

}  // namespace joinery::sync
