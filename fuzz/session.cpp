// Fuzzer of sessions: a replica that talks with a peer of which anything can be expected.
//
// Strategy: a real replica with content, and a real peer of its, in one of several situations (see
// support/scene.hpp). Between them stands whoever the input says: frames of the peer are handed on,
// changed, dropped, doubled or put off, and others are made up, field by field (support/forge.hpp),
// before the greeting is over as well as after it. Every frame's checksum is right. In between both
// write, time passes, and connections are cut and made again.
// Invariants: whatever was said, the replica is whole, its log has no hole, it shows what it has
// stored, and its own changesets are there; a session that failed says why; what it sends is well
// formed. An honest session afterwards does no harm: when it succeeds, both have the same state,
// and when what came before were cuts alone, it succeeds. Memory and time are bounded.
#include <deque>

#include "fuzz/support/forge.hpp"
#include "joinery/sync/session.hpp"
#include "joinery/transport/pipe.hpp"

namespace fuzz::of_sessions {

using sync_session = joinery::sync::session<memory_engine>;
using joinery::sync::message;

constexpr std::size_t most_steps = 60;
constexpr std::size_t most_waiting = 64;  // frames of the peer that were not handed on

class trial {
 public:
  explicit trial(input& in)
      : in_(in),
        scene_(scene_of(static_cast<scene_kind>(in.below(scene_count)))),
        victim_(11),
        other_(12),
        forge_(in, victim_, other_, scene_) {
    const auto choice = in.u8();
    wake_up(victim_, scene_.victim, choice);
    wake_up(other_, scene_.other, 0);
    options_.batch = choice & 0x80 ? 512 : 4096;
    options_.verify = (choice & 0x40) != 0;
    begin_measuring();
    note_own();
    connect();
    for (std::size_t n = 0; n < most_steps && in_.more(); ++n) step();
    disconnect();
    check_sound(victim_);
    check_own();
    meet_honestly();
  }

 private:
  struct said {
    std::uint8_t type = 0;
    bytes payload;
    std::vector<bytes> changesets{};  ///< in their place, when it is a message of these
  };

  // --- The connection ---

  void connect() {
    disconnect();
    ours_.emplace(*victim_.e, options_, now_);
    theirs_.emplace(*other_.e, options_, now_);
    heard_ = codec::frame_reader{};
    decoder_.emplace(options_.memory);
    encoder_.emplace(options_.memory);
    waiting_.clear();
    exchange();
  }
  void disconnect() {
    if (ours_) {
      ours_->disconnected();
      demand(ours_->ended(), "a session that goes on without a connection");
    }
    ours_.reset();
    theirs_.reset();
  }

  void step() {
    switch (in_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: hand_on(false); break;
      case 5: hand_on(true); break;
      case 6:
        if (!waiting_.empty()) waiting_.pop_front(), forged_ = true;
        break;
      case 7:
        if (!waiting_.empty()) {
          waiting_.push_back(waiting_[in_.below(waiting_.size())]);
          forged_ = true;
        }
        break;
      case 8: write(victim_); break;
      case 9: write(other_); break;
      case 10: pass_time(); break;
      case 11:
        if (in_.chance(128)) connect();
        break;
      case 12: {
        const auto type = in_.u8();
        say_raw(type, bytes{in_.block()});
        break;
      }
      default: make_up();
    }
    exchange();
  }

  void hand_on(bool altered) {
    if (waiting_.empty()) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (altered) {
      forged_ = true;
      next.payload = forge_.changed(payload_of(next));
      next.changesets.clear();
    }
    give(next);
  }
  void say_raw(std::uint8_t type, bytes payload) {
    forged_ = true;
    give({type, std::move(payload)});
  }
  /// Changesets are packed when their turn comes: each frame of them builds on those before.
  bytes payload_of(const said& m) {
    if (m.changesets.empty()) return m.payload;
    for (const auto& c : m.changesets) encoder_->add(c);
    bytes out;
    encoder_->finish(out);
    return out;
  }
  void give(const said& m) {
    bytes frame;
    const auto payload = payload_of(m);
    if (payload.size() > codec::max_frame_body - codec::min_frame_body) return;
    auto* squeeze = in_.chance(30) ? &squeeze_ : nullptr;
    in_.chance(60) ? codec::append_frame(frame, m.type, payload, squeeze)
                   : codec::append_short_frame(frame, m.type, payload, squeeze);
    bytes_view data = frame;
    if (in_.chance(40)) {  // in two pieces
      const auto n = in_.u8() % data.size();
      note(ours_->receive(data.substr(0, n), now_));
      data.remove_prefix(n);
    }
    note(ours_->receive(data, now_));
  }
  void note(const result<>& received) {
    if (received) return;
    demand(ours_->state() == joinery::sync::session_state::failed,
           "an error of a session that lives");
    demand(name_of(received.error().code) != "unknown", "an error without a name");
  }

  void write(node& n) { static_cast<void>(n.write(in_.u8()).has_value()); }
  void pass_time() {
    now_ += in_.number() * 10;
    victim_.time.now += in_.u8();
    ours_->wake(now_);
    theirs_->wake(now_);
    if (in_.chance(100)) demand(victim_.e->tend().has_value(), "a replica that cannot be tended");
  }

  /// What the victim says reaches the peer; what that answers waits.
  void exchange() {
    const auto out = ours_->take_output();
    check_frames(out);
    static_cast<void>(theirs_->receive(out, now_).has_value());
    const auto back = theirs_->take_output();
    for (bytes_view left = back; !left.empty();) {
      const auto f = heard_.next(left);
      if (!f || !*f) break;
      said m{(*f)->type, bytes{(*f)->payload}};
      if (static_cast<message>(m.type) == message::changes)
        if (const auto got = decoder_->decode(m.payload, codec::max_frame_body))
          m.changesets.assign(got->begin(), got->end());
      if (waiting_.size() < most_waiting) waiting_.push_back(std::move(m));
    }
    while (const auto event = ours_->next_event()) static_cast<void>(name_of(errc{}));
    static_cast<void>(ours_->next_wake());
  }
  static void check_frames(bytes_view out) {
    codec::frame_reader reader;
    while (!out.empty()) {
      const auto f = reader.next(out);
      demand(f && *f, "a frame of ours that is none");
    }
  }

  // --- Messages that are made up ---

  void make_up() {
    namespace sync = joinery::sync;
    constexpr message kinds[] = {message::hello,
                                 message::heads,
                                 message::schema,
                                 message::changes,
                                 message::changes,
                                 message::changes,
                                 message::part,
                                 message::ack,
                                 message::credit,
                                 message::caught_up,
                                 message::digest,
                                 message::error,
                                 message::bye,
                                 message::ping,
                                 message::inquiry,
                                 message::inquiry,
                                 message::snapshot_offer,
                                 message::snapshot_request,
                                 message::snapshot_chunk,
                                 message::snapshot_chunk,
                                 message::refetch,
                                 message::refetched};
    const auto kind = in_.pick(kinds);
    said m{static_cast<std::uint8_t>(kind), {}};
    if (kind == message::changes)
      for (auto n = 1 + in_.below(3); n > 0; --n) m.changesets.push_back(forge_.changeset());
    else
      m.payload = payload_of(kind);
    forged_ = true;
    if (in_.chance(60)) {
      m.payload = forge_.changed(payload_of(m));
      m.changesets.clear();
    }
    give(m);
  }

  bytes payload_of(message kind) {
    namespace sync = joinery::sync;
    switch (kind) {
      case message::hello: return hello();
      case message::heads: return sync::encode_heads(forge_.heads());
      case message::schema: return codec::encode_descriptor(other_.e->descriptor());
      case message::part: return piece(forge_.changeset());
      case message::ack: {
        const auto received = in_.number(), held = in_.number();
        sync::ack m{received, held, forge_.heads()};
        while (in_.chance(40)) {
          const auto number = in_.number();
          m.later.push_back({number, in_.number(), {}});
        }
        return sync::encode(m);
      }
      case message::credit: return sync::encode_credit(in_.number());
      case message::digest: {
        joinery::crypto::digest d;
        d.data.fill(in_.u8());
        return sync::encode(sync::state_digest{d, d});
      }
      case message::error:
        return sync::encode(error{static_cast<errc>(in_.u8()), bytes{in_.block()}, "", ""});
      case message::inquiry: return inquiry();
      case message::snapshot_request: return piece(forge_.request());
      case message::snapshot_chunk: return piece(forge_.chunk());
      case message::refetch:
        return sync::encode_refetch(
            in_.chance(128) ? joinery::wanted{{}, 0, "plants", bytes{in_.pick(key_names)}}
                            : joinery::wanted{forge_.id(), in_.number(), {}, {}});
      case message::refetched: return piece(bytes{in_.block()});
      default: return sync::encode_empty();
    }
  }
  bytes piece(const bytes& whole) {
    joinery::sync::part m{whole.size(), 0, whole};
    if (in_.chance(40)) m.total = in_.number();
    if (in_.chance(40)) m.offset = in_.number();
    if (in_.chance(40)) m.data = m.data.substr(0, in_.u8());
    return joinery::sync::encode(m);
  }
  bytes hello() {
    joinery::sync::hello m;
    m.space = victim_.e->space();
    m.replica = forge_.id();
    m.fingerprint = codec::fingerprint(victim_.e->descriptor());
    m.head_count = in_.number();
    m.max_frame = in_.chance(30) ? in_.number() : codec::max_frame_body;
    m.credit = in_.chance(30) ? in_.number() : 1u << 20;
    m.idle_ms = in_.number();
    m.verify = in_.chance(128);
    m.selective = in_.chance(60);
    m.memory = in_.chance(30) ? in_.number() : options_.memory;
    if (in_.chance(30)) m.version = in_.number();
    if (in_.chance(30)) m.fingerprint = in_.u64();
    return joinery::sync::encode(m);
  }
  bytes inquiry() {
    namespace sync = joinery::sync;
    const auto h = forge_.head();
    switch (in_.below(5)) {
      case 0: return sync::encode_inquiry(sync::chain_question{h.origin, h.seq});
      case 1:
        return sync::encode_inquiry(sync::chain_answer{
            h.origin, h.seq, in_.chance(60) ? std::nullopt : std::optional{h.chain}});
      case 2: {
        const auto data = forge_.changeset();
        return sync::encode_inquiry(sync::fork_notice{h.origin, h.seq, data, in_.chance(128)});
      }
      case 3: return sync::encode_inquiry(sync::fresh_start{in_.number(), in_.chance(128)});
      default: return sync::encode_inquiry(sync::twin_notice{h.seq, forge_.id(), h.chain});
    }
  }

  // --- What must hold ---

  void note_own() {
    self_ = victim_.e->self();
    const auto r = victim_.e->replicas().find(self_);
    own_ = r ? victim_.e->seen().at(*r) : 0;
    for (std::uint64_t n = 1; n <= own_; ++n)
      own_log_.push_back(victim_.e->changeset_at(self_, n).value());
  }
  /// Nothing that a peer says takes back or replaces what this replica wrote.
  void check_own() {
    const auto r = victim_.e->replicas().find(self_);
    const bool copied =
        &scene_ == &scene_of(scene_kind::copied);  // what was not given goes on anew
    for (std::uint64_t n = 1; n <= own_ && !copied; ++n) {
      demand(r && victim_.e->seen().at(*r) >= n, "an own changeset is gone");
      const auto now = victim_.e->changeset_at(self_, n).value();
      demand(now.empty() || now == own_log_[n - 1], "an own changeset is another");
    }
  }

  void meet_honestly() {
    const auto met = joinery::transport::sync_once(*victim_.e, *other_.e);
    const bool done = met.has_value();
    if (!done && !forged_)
      demand(false, "an honest meeting fails although nobody lied: " + met.error().text());
    if (!done || !victim_.e->forks().empty() || !other_.e->forks().empty()) return;
    if (victim_.e->status().held + other_.e->status().held > 0) return;
    demand(victim_.e->digest().value() == other_.e->digest().value(), "in sync, and not the same");
  }

  input& in_;
  codec::compressor squeeze_;
  const scene& scene_;
  node victim_, other_;
  forge forge_;
  joinery::sync::session_options options_;
  std::optional<sync_session> ours_, theirs_;
  codec::frame_reader heard_;
  std::optional<codec::transit::decoder> decoder_;  ///< of what the peer says
  std::optional<codec::transit::encoder> encoder_;  ///< of what the victim hears
  std::deque<said> waiting_;
  std::uint64_t now_ = 0;
  bool forged_ = false;
  replica_id self_;
  std::uint64_t own_ = 0;
  std::vector<bytes> own_log_;
};

void run(bytes_view data) {
  input in{data};
  trial{in};
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  for (std::size_t kind = 0; kind < scene_count; ++kind) {
    // All is handed on; then, in turns, with a step of each other sort.
    out.push_back(bytes{static_cast<char>(kind), '\0'} + bytes(60, '\0'));
    bytes mixed{static_cast<char>(kind), '\x41'};
    for (char n = 5; n < 16; ++n) mixed += bytes(12, '\0') + n + bytes("\7\1\3\2\5", 5);
    out.push_back(mixed);
    bytes made_up{static_cast<char>(kind), '\x81'};
    made_up += bytes(12, '\0');
    for (char n = 0; n < 22; ++n) made_up += bytes{'\x0D', n} + bytes("\5\3\1\2\1\6\1\2", 8);
    out.push_back(made_up);
  }
  return out;
}

// Two honest sessions are part of each input, each with the compressors of both directions.
const registration here{{"session", run, seeds, {4096, 8u << 20, 500}}};

}  // namespace fuzz::of_sessions
