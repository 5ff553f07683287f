// How many tags sets of other rules than add-wins leave of fitness-W, worked out without an engine.
import { kinds } from './fitness_w.mjs';

// Calls `each(record, tag, adds, r, position)` for every operation on tags that changes replica
// r's set, in the replica's order; `position` counts its operations that change something.
function replay({ base, transactions }, each) {
  transactions.forEach((own, r) => {
    const sets = base.map((record) => new Set(record.tags));
    let position = 0;
    for (const op of own.flat()) {
      if (op.kind !== kinds.add && op.kind !== kinds.remove) {
        ++position;
        continue;
      }
      const adds = op.kind === kinds.add;
      const changes = sets[op.record].has(op.argument) !== adds;
      if (changes) ++position;
      if (adds) sets[op.record].add(op.argument);
      else sets[op.record].delete(op.argument);
      if (changes) each(op.record, op.argument, adds, r, position);
    }
  });
}

// What is left where `touched` says nothing is the base.
function count({ base }, touched, isLeft) {
  let left = 0;
  base.forEach((record, i) => {
    for (const tag of new Set([...record.tags, ...touched[i].keys()])) {
      const marks = touched[i].get(tag);
      if (marks === undefined || isLeft(marks)) ++left;
    }
  });
  return left;
}

// Adds win over removes that did not see them; but adding what is there is no change.
export function addsThatChangeWin(workload) {
  const touched = workload.base.map(() => new Map());
  replay(workload, (record, tag, adds, r) => {
    const marks = touched[record].get(tag) ?? new Map();
    touched[record].set(tag, marks.set(r, adds));
  });
  return count(workload, touched, (marks) => [...marks.values()].some((adds) => adds));
}

// The write with the greatest Lamport time wins, of equal ones that of the greater id; writing what
// is there is no change. Every replica begins at the same time, and each of its changes takes one.
export function lastWriterWins(workload, ids) {
  const touched = workload.base.map(() => new Map());
  replay(workload, (record, tag, adds, r, time) => {
    const other = touched[record].get(tag);
    const later = !other || time > other.time || (time === other.time && ids[r] >= other.id);
    if (later) touched[record].set(tag, { time, id: ids[r], adds });
  });
  return count(workload, touched, (write) => write.adds);
}

// A tag's causal length counts how often it came and went; the greatest wins, and odd is there.
export function longestHistoryWins(workload) {
  const touched = workload.base.map(() => new Map());
  const start = workload.base.map((record) => new Set(record.tags));
  let last = -1;
  let lengths = [];
  replay(workload, (record, tag, _adds, r) => {
    if (r !== last) lengths = workload.base.map(() => new Map());
    last = r;
    const mine = (lengths[record].get(tag) ?? (start[record].has(tag) ? 1 : 0)) + 1;
    lengths[record].set(tag, mine);
    touched[record].set(tag, Math.max(mine, touched[record].get(tag) ?? 0));
  });
  return count(workload, touched, (length) => length % 2 === 1);
}
