// Joins of states. Of single types: two sets, maps, counters or many registers that share most
// elements and have each added, changed and removed some. Of replicas: one that wrote for itself
// takes the whole state of another that did too, in chunks, as a peer below the log's floor does.
// And what one more element costs in a large set, alone and in an engine. The limit of a join is a
// walk over two sorted arrays of elements and dots.
// Lines: join-or_set/elements: join-map/elements: join-counter/elements: join-lww/elements:
// Lines: join-state/records: delta-or_set/elements: delta-in-engine/elements:
#include "fitness_engine.hpp"
#include "joinery/crdt/map.hpp"
#include "joinery/replica/snapshot_chunk.hpp"

namespace {

using namespace bench;
using namespace joinery::crdt;
using element = std::uint32_t;

/// An element and the dot that it stands under.
struct placed {
  element value = 0;
  dot at;
};

/// What one side has: of the elements that both knew it removed some, and it added some of its own.
struct side {
  std::vector<placed> elements;
  version seen;
};

// Replica 0 wrote what both knew; side 1 and 2 are the replicas of that number. One element in
// twenty was removed on a side, and as many were added or added again.
side side_of(std::uint32_t count, replica_index replica) {
  side s;
  s.seen.set(0, count);
  std::uint64_t own = 0;
  for (element v = 0; v < count; ++v) {
    const auto turn = (v + 7 * replica) % 40;
    if (turn < 2) continue;
    s.elements.push_back(turn < 4 ? placed{2 * v, {replica, ++own}} : placed{2 * v, {0, v + 1}});
    if (turn == 20) s.elements.push_back({2 * v + 1, {replica, ++own}});
  }
  s.seen.set(replica, own);
  return s;
}

/// What is left when both are joined: neither side removed it, or one added it unseen.
std::size_t left_of(const side& a, const side& b) {
  std::map<element, std::pair<std::optional<dot>, std::optional<dot>>> all;
  for (const auto& e : a.elements) all[e.value].first = e.at;
  for (const auto& e : b.elements) all[e.value].second = e.at;
  std::size_t n = 0;
  for (const auto& [value, at] : all) {
    const bool of_a = at.first && (at.first == at.second || !b.seen.seen(*at.first));
    const bool of_b = at.second && (at.first == at.second || !a.seen.seen(*at.second));
    n += of_a || of_b ? 1 : 0;
  }
  return n;
}

/// A large state out of small ones: joined two and two, without contexts, so that nothing counts as
/// removed. `add(state, placed)`.
template <class C, class F>
C built(std::span<const placed> elements, F&& add) {
  if (elements.size() <= 16) {
    C c;
    for (const auto& e : elements) add(c, e);
    return c;
  }
  const auto half = elements.size() / 2;
  auto c = built<C>(elements.subspan(0, half), add);
  c.join({}, built<C>(elements.subspan(half), add), {});
  return c;
}

/// A walk over sorted arrays that does the same as the join of two sets.
double walk_arrays(const side& a, const side& b, std::size_t expected) {
  std::vector<placed> out(a.elements.size() + b.elements.size());
  std::size_t n = 0;
  const auto took = seconds_of_core([&] {
    auto i = a.elements.begin();
    auto j = b.elements.begin();
    while (i != a.elements.end() || j != b.elements.end()) {
      if (j == b.elements.end() || (i != a.elements.end() && i->value < j->value)) {
        if (!b.seen.seen(i->at)) out[n++] = *i;
        ++i;
      } else if (i == a.elements.end() || j->value < i->value) {
        if (!a.seen.seen(j->at)) out[n++] = *j;
        ++j;
      } else {
        const bool keep_i = i->at == j->at || !b.seen.seen(i->at);
        const bool keep_j = i->at != j->at && !a.seen.seen(j->at);
        if (keep_i || keep_j) out[n++] = keep_i ? *i : *j;
        ++i, ++j;
      }
    }
  });
  benchmark::DoNotOptimize(out.data());
  check(n == expected, "the arrays' elements");
  return took;
}

/// Elements of a side that are joined in a second with the other's. `removes`: what is absent on a
/// side that has seen it was removed there; a map's entries leave a cell behind that tells it, and
/// without one are merely not there yet.
template <class C, class F, class Size>
sample join_of(std::uint32_t count, bool removes, F&& add, Size&& size) {
  struct pair {
    side a, b;
    C of_a, of_b;
    std::size_t left = 0, all = 0;
  };
  static std::map<std::uint32_t, pair> made;
  auto at = made.find(count);
  if (at == made.end()) {
    pair p{side_of(count, 1), side_of(count, 2), {}, {}};
    p.of_a = built<C>(p.a.elements, add);
    p.of_b = built<C>(p.b.elements, add);
    p.left = left_of(p.a, p.b);
    p.all = left_of({p.a.elements, {}}, {p.b.elements, {}});
    at = made.emplace(count, std::move(p)).first;
  }
  const auto& p = at->second;
  // As many joins as there is something to measure.
  const auto times = std::max<std::size_t>(1, 200'000 / count);
  std::vector<C> joined(times, p.of_a);
  sample s;
  s.seconds = seconds_of_core([&] {
    for (auto& c : joined) c.join(p.a.seen, p.of_b, p.b.seen);
  });
  auto backward = p.of_b;
  backward.join(p.b.seen, p.of_a, p.a.seen);
  check(backward == joined.back(), "joined either way it is the same");
  check(size(backward) == (removes ? p.left : p.all), "the elements that are left");
  const auto elements =
      static_cast<double>((p.a.elements.size() + p.b.elements.size()) * times) / 2;
  s.joinery = elements / s.seconds;
  const auto raw = median_of(3, [&] {
    double took = 0;
    for (std::size_t i = 0; i < times; ++i) took += walk_arrays(p.a, p.b, p.left);
    return took;
  });
  s.limit = elements / raw;
  return s;
}

sample join_or_set(std::uint32_t count) {
  using set = or_set<element>;
  return join_of<set>(
      count, true,
      [](set& s, const placed& e) {
        version context;
        context.raise(e.at);
        s.apply(set::insert(e.value), {e.at, 1 << 16, context});
      },
      [](const set& s) { return s.size(); });
}
sample join_map(std::uint32_t count) {
  using counts = map<element, pn_counter>;
  return join_of<counts>(
      count, false,
      [](counts& m, const placed& e) {
        version context;
        context.raise(e.at);
        m.apply(m.update(e.value, pn_counter::add(1)), {e.at, 1 << 16, context});
      },
      [](const counts& m) { return m.size(); });
}

/// A counter that so many replicas have added to, joined with another state of it: half of the
/// replicas are further there.
sample join_counter(std::uint32_t count) {
  static std::map<std::uint32_t, std::pair<pn_counter, pn_counter>> made;
  auto at = made.find(count);
  if (at == made.end()) {
    const auto state = [&](unsigned ahead) {
      std::vector<placed> parts;
      for (replica_index r = 0; r < count; ++r) parts.push_back({1, {r, r % 2 == ahead ? 2u : 1u}});
      return built<pn_counter>(parts, [](pn_counter& c, const placed& p) {
        const version none;
        c.apply(pn_counter::add(static_cast<std::int64_t>(p.at.seq)), {p.at, 1 << 16, none});
      });
    };
    at = made.emplace(count, std::pair{state(0), state(1)}).first;
  }
  const auto& b = at->second.second;
  const auto times = std::max<std::size_t>(1, 200'000 / count);
  std::vector<pn_counter> joined(times, at->second.first);
  sample s;
  s.seconds = seconds_of_core([&] {
    for (auto& c : joined) c.join({}, b, {});
  });
  check(joined.back().get().value == 2 * std::int64_t{count}, "the greater total of each replica");
  s.joinery = static_cast<double>(count) * static_cast<double>(times) / s.seconds;
  return s;
}

/// So many registers, each with two concurrent writes.
sample join_lww(std::uint32_t count) {
  using reg = lww<std::string>;
  std::vector<reg> a(count), b(count);
  version seen_by_a, seen_by_b;
  for (std::uint32_t i = 0; i < count; ++i) {
    seen_by_a.set(0, i + 1);
    seen_by_b.set(1, i + 1);
    a[i].apply(reg::set("written on one side"), {{0, i + 1}, 1 << 16, seen_by_a});
    b[i].apply(reg::set("written on the other"), {{1, i + 1}, 2 << 16, seen_by_b});
  }
  const auto before = a;
  sample s;
  s.seconds = seconds_of_core([&] {
    for (std::uint32_t i = 0; i < count; ++i) a[i].join(seen_by_a, b[i], seen_by_b);
  });
  joinery::causal::roster replicas;
  replicas.add(fitness_writer(0));
  replicas.add(fitness_writer(1));
  for (std::uint32_t i = 0; i < count; ++i) {
    b[i].join(seen_by_b, before[i], seen_by_a);
    check(a[i] == b[i] && a[i].in_conflict(), "joined either way it is the same conflict");
    check(a[i].get(replicas) == "written on the other", "the later write is shown");
  }
  s.joinery = count / s.seconds;
  return s;
}

/// Records in a second that one replica takes as a state from another, into its own.
sample join_state(std::uint32_t records) {
  using joinery::detail::chunk_kind;
  const auto& w = fitness(records);
  auto a = with_base(w);
  auto b = with_base(w);
  feed(a, w.changesets[0]);
  feed(a, w.changesets[1]);
  feed(b, w.changesets[2]);
  feed(b, w.changesets[3]);
  const auto take_all = [&](memory_engine& to, memory_engine& from) {
    const auto session = std::make_shared<char>();
    const auto request = to.request_snapshot(session).value().value();
    auto serving = from.serve_snapshot(request, 256u << 10).value();
    while (const auto chunk = from.next_chunk(serving, 256u << 10).value())
      to.take_chunk(*chunk, session).value();
    check(to.take_chunk(joinery::detail::chunk_of(chunk_kind::end), session).value().has_value(),
          "the snapshot is joined");
    // Asking for the next one writes what is left of this one to the records.
    to.request_snapshot(std::make_shared<char>()).value();
  };
  sample s;
  s.seconds = seconds_of_core([&] { take_all(a, b); });
  verify_fitness(a, w);
  take_all(b, a);
  verify_equal(a, b);
  s.joinery = records / s.seconds;
  return s;
}

/// Microseconds for one more element in a set of so many.
sample delta_alone(std::uint32_t count) {
  using set = or_set<element>;
  static std::map<std::uint32_t, set> made;
  auto at = made.find(count);
  if (at == made.end())
    at = made.emplace(count, built<set>(side_of(count, 1).elements,
                                        [](set& s, const placed& e) {
                                          version context;
                                          context.raise(e.at);
                                          s.apply(set::insert(e.value), {e.at, 1 << 16, context});
                                        }))
             .first;
  auto s = at->second;
  const auto before = s.size();
  const auto times = std::max<std::uint32_t>(20, std::min(2'000u, 20'000'000 / count));
  std::vector<bytes> deltas;
  xorshift32 random{11};
  for (std::uint32_t i = 0; i < times; ++i)
    deltas.push_back(set::insert(2 * count + 2 * i + random.below(2)));
  for (auto i = deltas.size(); i > 1; --i)
    std::swap(deltas[i - 1], deltas[random.below(static_cast<std::uint32_t>(i))]);
  version context;
  context.set(1, 1u << 30);
  sample out;
  std::uint64_t seq = 1u << 29;
  out.seconds = seconds_of_core([&] {
    for (const auto& d : deltas) s.apply(d, {{1, ++seq}, 2 << 16, context});
  });
  check(s.size() == before + times, "every element came in");
  out.joinery = out.seconds / times * 1e6;
  return out;
}

/// The same as a peer's changeset, into a record's set, through an engine with all its checks.
sample delta_in_engine(std::uint32_t count) {
  auto e = open_in_memory();
  const auto key = fitness_key(0);
  const auto encode = [&](std::uint32_t first, std::uint32_t n, std::uint64_t seq) {
    joinery::codec::changeset_writer tx;
    if (seq == 1) tx.add(fitness_table, key, {cell_action::create, 1, {}, {}, {}});
    for (auto i = first; i < first + n; ++i) tx.add(fitness_table, key, tag_op(i * 7 + 1, true));
    return tx.encode(fitness_writer(1), seq, (std::uint64_t{1'767'225'600'000} + seq) << 16, {});
  };
  constexpr std::uint32_t part = 1000, more = 1000;
  std::vector<bytes> base, deltas;
  for (std::uint32_t i = 0; i < count; i += part) base.push_back(encode(i, part, base.size() + 1));
  for (std::uint32_t i = 0; i < more; ++i)
    deltas.push_back(encode(count + i, 1, base.size() + 1 + i));
  feed(e, base, 10);
  sample s;
  s.seconds = seconds_of_core([&] { feed(e, deltas); });
  const auto whole = e.whole_record(fitness_table, key).value();
  check(tags_of(e.names(), whole) == count + more, "every element came in");
  s.joinery = s.seconds / more * 1e6;
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  for (const std::uint32_t count : {1'000u, 30'000u, 1'000'000u}) {
    const auto n = "/elements:" + std::to_string(count);
    line("join-or_set" + n, {"element/s", measure::at_least, 20e6},
         [=] { return join_or_set(count); });
    line("join-map" + n, {"element/s"}, [=] { return join_map(count); });
    line("join-counter" + n, {"element/s"}, [=] { return join_counter(count); });
    line("join-lww" + n, {"element/s"}, [=] { return join_lww(count); });
    const auto of_large = count == 1'000'000 ? measure::at_most : measure::nothing;
    line("delta-or_set" + n, {"us", of_large, 1}, [=] { return delta_alone(count); });
    line("delta-in-engine" + n, {"us", of_large, 1}, [=] { return delta_in_engine(count); });
  }
  for (const std::uint32_t records : {10'000u, 100'000u})
    line("join-state/records:" + std::to_string(records), {"record/s"},
         [=] { return join_state(records); });
  return run(argc, argv);
}
