// Random histories of a closed space: members clean, acknowledge, are admitted, evicted, and crash;
// beside each stands a replica that takes in the same and never cleans anything.
#include <catch2/catch.hpp>

#include "joinery/crdt/counter.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/state/clean_up.hpp"
#include "tests/replica/circle.hpp"

using namespace replica_tests;

namespace {

using laps = crdt::map<int, crdt::pn_counter>;

struct node {
  std::unique_ptr<peer> p;
  std::unique_ptr<peer> plain;  ///< never cleans
  std::uint64_t compared = 0;
  int admitter = -1;  ///< from whom it first hears
};

class history_of_members {
 public:
  std::uint64_t cleaned = 0;
  int circles = 0;

  history_of_members(std::uint64_t seed, int steps) : dice_(seed) {
    for (int n = 0; n < 3; ++n) add_node();
    for (auto& n : nodes_) n.p->set("start", 1).value();
    for (auto& a : nodes_)
      for (auto& b : nodes_)
        if (&a != &b) hear(*a.p, *b.p).value();
    const auto closing = 1 + dice_.below(20);
    for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(steps); ++n) {
      if (n == closing) nodes_[0].p->e->close_membership().value();
      step(n > closing);
    }
    settle();
  }

 private:
  void add_node() {
    node n;
    n.p = std::make_unique<peer>(dice_.below(1u << 30) + 1);
    n.plain = std::make_unique<peer>(dice_.below(1u << 30) + 1);
    n.plain->options.clean_up_records = 0;
    n.p->options.acknowledge_after_ms = 50;
    n.p->options.clean_up_records = 1 + dice_.below(4);
    n.p->options.await_admission = nodes_.size() >= 3;
    n.p->options.snapshot_records = 1 + dice_.below(4);
    n.p->options.cache_bytes = dice_.below(2000);
    n.p->options.large_field_bytes = dice_.chance(50) ? dice_.below(20) : ~std::size_t{0};
    n.p->reopen();
    n.plain->reopen();
    nodes_.push_back(std::move(n));
  }

  void step(bool closed) {
    auto& n = dice_.pick(nodes_);
    for (auto& each : nodes_) each.p->time.now += dice_.below(20);
    const auto what = dice_.below(100);
    if (what < 25) {
      write(*n.p);
    } else if (what < 75) {
      listen(n, dice_.pick(nodes_), dice_.chance(70) ? ~std::size_t{0} : 1 + dice_.below(6));
    } else if (what < 88) {
      n.p->e->tend().value();
    } else if (what < 89) {
      n.p->crash(dice_.below(3));
    } else if (what < 94) {
      n.p->e->checkpoint().value();
    } else if (closed && what < 96 && nodes_.size() < 6) {
      admit();
    } else if (closed && what < 97 && nodes_.size() > 3 && dice_.chance(40)) {
      const auto whom = dice_.pick(nodes_).p->id();
      static_cast<void>(n.p->e->evict(whom));
    }
    if (dice_.chance(25)) compare(n);
  }

  void admit() {
    const auto by = dice_.below(nodes_.size());
    if (nodes_[by].p->e->status().membership.self != member_state::member) return;
    add_node();
    nodes_.back().admitter = static_cast<int>(by);
    nodes_[by].p->e->admit(nodes_.back().p->id()).value();
  }

  void listen(node& to, node& from, std::size_t limit) {
    if (&to == &from) return;
    // A new device first hears from who admitted it.
    for (const auto* n : {&to, &from})
      if (n->admitter >= 0 && n->p->e->status().membership.self == member_state::unknown &&
          (n == &from || &from != &nodes_[static_cast<std::size_t>(n->admitter)]))
        return;
    if (!to.p->e->admits(from.p->id()) || !from.p->e->admits(to.p->id())) return;
    const auto news = lacking(*from.p, *to.p, limit);
    std::vector<bytes_view> views(news.begin(), news.end());
    to.p->e->ingest_from(from.p->id(), views).value();  // nobody honest is refused
  }

  void write(peer& p) {
    changeset_writer w;
    for (auto left = 1 + dice_.below(2); left > 0; --left) {
      const auto key = "key " + std::to_string(dice_.below(6));
      const auto packed = p.e->whole_record("table", key).value();
      const auto cell = crdt::read_cell(packed);
      const auto life = cell.incarnation + (cell.alive() ? 0 : 1);
      const auto update = [&](std::string_view field, crdt::shape type, bytes delta) {
        w.add("table", key, {cell_action::update, life, field, type, std::move(delta)});
      };
      const auto what = dice_.below(10);
      if (what < 4 && cell.alive() && w.empty()) {
        const bool final = dice_.chance(20);
        w.add(
            "table", key,
            {final ? cell_action::erase_final : cell_action::erase, cell.incarnation, {}, {}, {}});
      } else if (what < 6) {
        update("xp", crdt::kind::pn_counter, crdt::pn_counter::add(1));
      } else if (what < 8) {
        update("number", crdt::kind::lww, lww_delta(static_cast<int>(dice_.below(100))));
      } else {
        const auto name = p.e->names().find("laps");
        const laps now{bytes{cell.alive() && name
                                 ? state::field_state(cell.value, {*name, laps::type()})
                                 : bytes_view{}}};
        const auto lap = static_cast<int>(dice_.below(2));
        const auto erasure = dice_.chance(60) ? now.erase(lap) : std::nullopt;
        update("laps", laps::type(),
               erasure ? *erasure : now.update(lap, crdt::pn_counter::add(1)));
        break;  // deltas of a map are made from what is committed
      }
    }
    const auto done = p.e->commit(w);
    if (!done && done.error().code != errc::not_admitted) done.value();
  }

  /// What it shows must be what one shows that never cleans.
  void compare(node& n) {
    n.plain->take(n.p->log(n.compared + 1)).value();
    n.compared = n.p->e->log_size();
    if (n.p->digest() != n.plain->digest()) throw std::runtime_error("clean-up shows");
  }

  std::set<replica_id> members_of(const node& n) {
    std::set<replica_id> out;
    for (const auto& m : n.p->e->members().value())
      if (m.state == member_state::member) out.insert(m.id);
    return out;
  }

  static bool holds_dead_cells(peer& p) {
    bool any = false;
    p.e->for_each("table", {},
                  [&](bytes_view key, bytes_view packed) {
                    const auto whole = p.e->in_one_piece("table", key, packed).value();
                    any = any || state::clean_record(whole).has_value();
                    return true;
                  })
        .value();
    return any;
  }

  /// Everybody meets whom it may, until nothing happens any more. Members that know of each other
  /// and of nobody else must then agree, and have cleaned everything.
  void settle() {
    for (int round = 0; round < 8; ++round) {
      for (auto& n : nodes_) {
        n.p->time.now += 100;
        for (int k = 0; k < 25; ++k) n.p->e->tend().value();
      }
      for (auto& a : nodes_)
        for (auto& b : nodes_) listen(a, b, ~std::size_t{0});
    }
    for (auto& n : nodes_) {
      compare(n);
      cleaned += n.p->e->status().membership.cells_cleaned;
    }
    for (auto& n : nodes_) {
      const auto circle = members_of(n);
      std::vector<node*> in;
      for (auto& m : nodes_)
        if (circle.contains(m.p->id()) && members_of(m) == circle) in.push_back(&m);
      if (!circle.contains(n.p->id()) || in.size() != circle.size()) continue;
      ++circles;
      if (n.p->digest() != in.front()->p->digest()) throw std::runtime_error("members differ");
      if (holds_dead_cells(*n.p)) throw std::runtime_error("something was never cleaned");
    }
  }

  testing::prng dice_;
  std::deque<node> nodes_;  // nodes stay where they are
};

}  // namespace

TEST_CASE("clean-up shows in no random history with admissions, evictions and crashes") {
  constexpr std::uint64_t seeds = JOINERY_SANITIZED ? 12 : 40;
  std::uint64_t cleaned = 0, circles = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    try {
      const history_of_members done{seed, 200};
      cleaned += done.cleaned;
      circles += done.circles > 0 ? 1 : 0;
    } catch (const std::exception& e) {
      FAIL("seed " << seed << ": " << e.what());
    }
  }
  CHECK(cleaned > 4 * seeds);
  CHECK(circles > 3 * seeds / 4);  // in few of them do all evict each other
}
