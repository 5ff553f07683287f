// Fuzzer of snapshots from a peer: their chunks and the tail.
//
// Strategy: a real replica takes chunks of a real snapshot, in order or not, changed or not, chunks
// that are made up (support/forge.hpp), and changesets as their tail; in between it is opened
// again, writes, is tended, and asks anew.
// Invariants: whatever comes, the replica is whole, and what it shows is what it has stored; a
// chunk is taken or refused with a typed error; what it had before is still there. The real
// snapshot afterwards is taken, unless what came before it contradicts it. What is staged stays
// below its limit; memory and time are bounded.
#include "fuzz/support/forge.hpp"
#include "joinery/transport/pipe.hpp"

namespace fuzz::of_snapshots {

constexpr std::size_t most_steps = 60;

class trial {
 public:
  explicit trial(input& in)
      : in_(in),
        scene_(scene_of(in.pick(kinds))),
        victim_(11),
        other_(12),
        forge_(in, victim_, other_, scene_) {
    wake_up(victim_, scene_.victim, in.u8());
    wake_up(other_, scene_.other, 0);
    begin_measuring();
    const auto before = victim_.e->seen();
    for (std::size_t n = 0; n < most_steps && in_.more(); ++n) step();
    demand(victim_.e->seen().covers(before), "what was known is not any more");
    check_sound(victim_);
    const auto done = joinery::transport::sync_once(*victim_.e, *other_.e);
    demand(done.has_value() || forged_, "the real snapshot is not taken although nobody lied");
    check_sound(victim_);
  }

 private:
  static constexpr scene_kind kinds[] = {scene_kind::behind, scene_kind::beginning,
                                         scene_kind::interrupted, scene_kind::both};

  void step() {
    switch (in_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (next_ < scene_.chunks.size()) take(scene_.chunks[next_++]);
        break;
      case 4:
        forged_ = true;
        take(forge_.chunk());
        break;
      case 5: tail({forge_.changeset(), forge_.changeset()}), forged_ = true; break;
      case 6: tail(scene_.log); break;
      case 7:
        next_ = in_.below(scene_.chunks.size() + 1);
        forged_ = true;  // out of order
        break;
      case 8: ask(); break;
      case 9: static_cast<void>(victim_.write(in_.u8()).has_value()); break;
      case 10: victim_.reopen(); break;
      default: demand(victim_.e->tend().has_value(), "a replica that cannot be tended");
    }
  }

  void ask() {
    next_ = 0;
    const auto request = victim_.e->request_snapshot({});
    demand(request.has_value(), "a snapshot that is not asked for");
    if (!*request) return;
    demand(joinery::detail::read_request(**request).has_value(), "a request that cannot be read");
    // The other, or a hostile one, is asked in turn.
    const auto asked = in_.chance(100) ? forge_.request() : **request;
    auto serving = other_.e->serve_snapshot(asked, 600);
    if (!serving) return;
    for (int n = 0; n < 20; ++n) {
      const auto chunk = other_.e->next_chunk(*serving, 600);
      demand(chunk.has_value(), "a snapshot that is not served to its end");
      if (!*chunk) break;
      demand(!(*chunk)->empty(), "an empty chunk");
    }
  }
  void take(const bytes& chunk) { note(victim_.e->take_chunk(chunk)); }
  void tail(const std::vector<bytes>& log) {
    const std::vector<bytes_view> views(log.begin(), log.end());
    note(victim_.e->take_tail(views));
  }
  template <class R>
  void note(const R& done) {
    if (done) return;
    switch (done.error().code) {
      case errc::malformed:
      case errc::unsupported:
      case errc::fork:
      case errc::clock_drift:
      case errc::too_large:
      case errc::gap:
      case errc::protocol: return;
      default: demand(false, "an error of another kind: " + done.error().text());
    }
  }

  input& in_;
  const scene& scene_;
  node victim_, other_;
  forge forge_;
  std::size_t next_ = 0;
  bool forged_ = false;
};

void run(bytes_view data) {
  input in{data};
  trial{in};
}

std::vector<bytes> seeds() {
  std::vector<bytes> out;
  for (const char kind : {'\0', '\1', '\2', '\3'}) {
    out.push_back(bytes{kind, '\0', '\x08', '\0'} + bytes(12, '\0') + "\6");
    bytes mixed{kind, '\1'};
    for (char n = 4; n < 12; ++n) mixed += bytes{'\0', '\0', n, '\1', '\2', '\3', '\4'};
    out.push_back(mixed);
    bytes made_up{kind, '\4'};
    for (char n = 0; n < 7; ++n) made_up += bytes{'\4', '\0', n} + bytes("\3\1\2\3\1\2", 6);
    out.push_back(made_up);
  }
  return out;
}

const registration here{{"snapshot", run, seeds, {4096, 4u << 20, 500}}};

}  // namespace fuzz::of_snapshots
