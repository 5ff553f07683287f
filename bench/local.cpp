// Local transactions in memory, of ten operations each: built, stamped, checked, encoded, logged
// and folded into the state, with a watcher told. The limit is the skeleton's, which encodes the
// same operations and takes them in, and does nothing else.
// Lines: local local/records: local/replicas:
#include "fitness_engine.hpp"
#include "skeleton.hpp"

namespace {

using namespace bench;
using transactions = std::vector<std::vector<fitness_op>>;

transactions of_ten(const std::vector<fitness_op>& ops) {
  transactions out;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (i % ops_of_changeset == 0) out.emplace_back();
    out.back().push_back(ops[i]);
  }
  return out;
}

double skeleton_once(const fitness_workload& w, const transactions& all) {
  skeleton s{w.records};
  std::size_t ops = 0;
  std::string frame;
  const auto took = seconds_of_core([&] {
    for (const auto& tx : all) {
      frame.clear();
      for (const auto& op : tx) skeleton::append(frame, w.keys[op.record], op, 1 + ops);
      ops += s.merge(frame);
    }
  });
  check(ops == w.total, "the skeleton took everything in");
  return static_cast<double>(ops) / took;
}

sample local(std::uint32_t records, std::uint32_t others = 0) {
  const auto& w = fitness(records, 100'000, 1);
  static std::map<std::uint32_t, transactions> made;
  auto& all = made[records];
  if (all.empty()) all = of_ten(w.ops[0]);

  auto e = with_base(w);
  feed(e, of_others(others, "others"));  // in a table that the model does not know
  std::size_t told = 0;
  const auto watching = e.watch({std::string{fitness_table}, {}, {}, false},
                                [&](const auto& batch) { told += batch.records.size(); });
  sample s;
  s.seconds = seconds_of_core([&] {
    joinery::codec::changeset_writer tx;
    for (const auto& ops : all) {
      tx.clear();
      for (const auto& op : ops) add_op(tx, w.keys[op.record], op);
      e.commit(tx).value();
    }
  });
  verify_fitness(e, w);
  check(told > w.total / 2, "changes are told");
  s.joinery = w.total / s.seconds;
  s.limit = median_of(9, [&] { return skeleton_once(w, all); });
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  line("local", {"op/s", measure::at_least, 3e6}, [] { return local(10'000); });
  for (const std::uint32_t records : {100'000u, 1'000'000u})
    line("local/records:" + std::to_string(records), {"op/s"}, [=] { return local(records); });
  for (const std::uint32_t replicas : {2u, 16u, 128u, 1024u})  // it knows, itself included
    line("local/replicas:" + std::to_string(replicas), {"op/s"},
         [=] { return local(10'000, replicas - 1); });
  return run(argc, argv);
}
