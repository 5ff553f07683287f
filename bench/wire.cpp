// Bytes on the wire over fitness-W(100 000, 4): two engines in memory and a real session between
// them, both directions counted. live: each changeset of 10 operations is sent as a message of its
// own, the four replicas in turns; bulk: all at once; both in a session that has brought over the
// base, so that the records are known. fresh: all at once in a new session. The figure is of the
// direction that the operations go; `back` is what comes back for each operation, acknowledgements
// and credit. The limit is the entropy of the operations as the workload draws them.
// codec: nanoseconds for an operation in the transit form, written and read, without the session.
// form: the bytes of bulk in the transit form alone, over more and more records, in a memory that
// holds them all.
// Lines: wire-live wire-bulk wire-fresh wire-codec-live wire-codec-bulk wire-form/records:
#include <cmath>

#include "fitness_engine.hpp"
#include "joinery/sync/session.hpp"

namespace {

using namespace bench;
using session = joinery::sync::session<memory_engine>;

/// The bits that tell these operations from all others that could have been drawn. Those of one
/// changeset are on different records nearly always, so their order says nothing.
double entropy_of(const fitness_workload& w) {
  const auto log2_of = [](double n) { return std::log2(n); };
  std::array<double, 4> kinds{};
  for (const auto& mine : w.ops)
    for (const auto& op : mine) kinds[op.what] += 1;
  double bits = 0;
  for (const auto& mine : w.ops) {
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const auto& op = mine[i];
      bits += log2_of(w.records) + log2_of(w.total / kinds[op.what]) -
              log2_of(static_cast<double>(1 + i % 10));
      switch (op.what) {
        case fitness_op::set:
          bits += log2_of(fitness_fields);
          bits += op.argument < 4
                      ? log2_of(17) + static_cast<double>(op.value.text.size()) * log2_of(26)
                      : log2_of(1e6);
          break;
        case fitness_op::inc: bits += log2_of(50); break;
        case fitness_op::add: bits += log2_of(200); break;
        case fitness_op::remove: bits += log2_of(5); break;  // of about as many as there are
      }
    }
  }
  return bits / 8 / w.total;
}

/// A session between two engines, counted.
class link {
 public:
  link(memory_engine& a, memory_engine& b) : a_(a, {}, 0), b_(b, {}, 0) { run(); }

  /// Lets both speak until there is nothing left to say.
  void run() {
    a_.wake(0);
    for (bool spoke = true; spoke;) {
      const auto to_b = a_.take_output();
      check(b_.receive(to_b, 0).has_value(), "b takes what a says");
      const auto to_a = b_.take_output();
      check(a_.receive(to_a, 0).has_value(), "a takes what b says");
      forth += to_b.size();
      back += to_a.size();
      spoke = !to_b.empty() || !to_a.empty();
    }
  }
  [[nodiscard]] bool in_sync() const { return a_.in_sync() && b_.in_sync(); }

  std::size_t forth = 0;
  std::size_t back = 0;

 private:
  session a_, b_;
};

enum class manner { live, bulk, fresh };

sample wire(manner how) {
  const auto& w = fitness(fitness_records);
  auto a = open_in_memory(), b = open_in_memory();
  feed(a, w.base_changesets, 1);
  if (how == manner::fresh) feed(b, w.base_changesets, 1);
  std::optional<link> between;
  if (how != manner::fresh) {
    between.emplace(a, b);
    check(between->in_sync(), "the base is there");
    between->forth = between->back = 0;
  }
  sample s;
  s.seconds = seconds([&] {
    if (how == manner::live)
      for (std::size_t i = 0; i < w.changesets[0].size(); ++i)
        for (const auto& of_replica : w.changesets) {
          feed(a, std::span<const bytes>{of_replica}.subspan(i, 1));
          between->run();
        }
    else
      for (const auto& of_replica : w.changesets) feed(a, of_replica);
    if (how == manner::fresh) between.emplace(a, b);
    between->run();
  });
  check(between->in_sync(), "both have everything");
  verify_equal(a, b);
  verify_fitness(b, w);
  s.joinery = static_cast<double>(between->forth) / w.total;
  s.limit = entropy_of(w);
  s.more["back"] = static_cast<double>(between->back) / w.total;
  s.more["as_they_are"] = static_cast<double>(w.wire_bytes) / w.total;
  return s;
}

/// Changesets through an encoder and a decoder that know the base, so many in a frame.
sample codec(std::uint32_t records, std::size_t frame) {
  const auto& w = fitness(records);
  const auto memory =
      std::max(joinery::sync::session_options{}.memory, std::uint64_t{80} * records);
  constexpr std::size_t most = joinery::codec::max_frame_body;
  joinery::codec::transit::encoder encoder{memory};
  // One is timed, the other's output is looked at.
  joinery::codec::transit::decoder decoder{memory};
  joinery::codec::transit::decoder checked{memory};
  const auto encode = [&](std::span<const bytes> changes, std::size_t of_frame) {
    std::vector<bytes> out;
    for (; !changes.empty(); changes = changes.subspan(std::min(of_frame, changes.size()))) {
      for (const auto& c : changes.first(std::min(of_frame, changes.size()))) encoder.add(c);
      encoder.finish(out.emplace_back());
    }
    return out;
  };
  for (const auto& f : encode(w.base_changesets, 10))
    check(decoder.decode(f, most) && checked.decode(f, most), "the base is read");
  double encoding = 0, decoding = 0;
  std::size_t bytes_in_all = 0;
  for (const auto& of_replica : w.changesets) {
    std::vector<bytes> frames;
    encoding += seconds_of_core([&] { frames = encode(of_replica, frame); });
    std::size_t at = 0, decoded = 0;
    decoding += seconds_of_core([&] {
      for (const auto& f : frames) decoded += decoder.decode(f, most).value().size();
    });
    for (const auto& f : frames) {
      bytes_in_all += f.size();
      const auto got = checked.decode(f, most).value();
      for (const auto c : got) check(c == of_replica.at(at++), "the same bytes");
    }
    check(at == of_replica.size() && decoded == at, "every changeset came out");
  }
  sample s;
  s.seconds = encoding + decoding;
  s.joinery = s.seconds / w.total * 1e9;
  s.more["encode"] = encoding / w.total * 1e9;
  s.more["decode"] = decoding / w.total * 1e9;
  s.more["bytes"] = static_cast<double>(bytes_in_all) / w.total;
  return s;
}

sample form(std::uint32_t records) {
  auto s = codec(records, 500);
  s.joinery = s.more["bytes"];
  s.more.erase("bytes");
  s.limit = entropy_of(fitness(records));
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  line("wire-live", {"B/op", measure::at_most, 11}, [] { return wire(manner::live); });
  line("wire-bulk", {"B/op", measure::at_most, 7}, [] { return wire(manner::bulk); });
  line("wire-fresh", {"B/op"}, [] { return wire(manner::fresh); });
  line("wire-codec-live", {"ns/op", measure::at_most, 300},
       [] { return codec(fitness_records, 1); });
  line("wire-codec-bulk", {"ns/op", measure::at_most, 300},
       [] { return codec(fitness_records, 500); });
  for (const std::uint32_t records : {10'000u, 100'000u, 1'000'000u})
    line("wire-form/records:" + std::to_string(records), {"B/op"}, [=] { return form(records); });
  return run(argc, argv);
}
