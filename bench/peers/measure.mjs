// Measures one way of using one engine over fitness-W(100 000, 4), and checks what comes out.
//
// A `way` is an object: `name`; `tags`, how many of them its rules must leave; `bulk`, whether it
// sends all at once; `repetitions`; and the functions `base(workload)` → bytes, `open(bytes, r)` →
// replica, `transact(replica, ops)`, `messages(replica)` → the bytes for the others,
// `merge(replica, messages)`, `readOne(replica, i)` and `readAll(replica)` → { values, xp, tags }
// (tags ascending) of one record and of each, and `close(replica)`. It may have `snapshot(replica)`
// → bytes and `load(bytes)` → replica; and `shut(replica)`, which closes it and gives the size of
// its file, and `reopen()` → replica. Where merging is so slow that the run would never end, only
// so many `observers` merge, and not all four replicas.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { records, replicas, total } from './fitness_w.mjs';

// No repetition begins after so many seconds with one way.
const patience = 75;

const quick = process.argv.includes('--quick');

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const clean = () => globalThis.gc?.();

// Seconds that this thread has worked: without the time in which others had its core, or the disk
// was waited for. The kernel tells them of the main thread, and there the engines work.
const worked = () => Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e9;
const passed = () => Number(process.hrtime.bigint()) / 1e9;

function timed(work) {
  const start = worked();
  const result = work();
  return [worked() - start, result];
}

function fail(way, what) {
  throw new Error(`${way.name}: ${what}`);
}

const digest = (state) => createHash('sha256').update(JSON.stringify(state)).digest('hex');

// Holds a state against the oracle; gives how many tags are left.
function check(way, workload, state) {
  if (state.length !== records) fail(way, `${state.length} records`);
  let tags = 0;
  state.forEach((record, i) => {
    const expected = workload.expected[i];
    record.values.forEach((value, f) => {
      if (!expected.values[f].has(value)) fail(way, `record ${i}, field ${f}: ${value}`);
    });
    if (record.xp !== expected.xp) fail(way, `record ${i}: xp ${record.xp}, not ${expected.xp}`);
    const held = new Set(record.tags);
    for (const tag of expected.surely) if (!held.has(tag)) fail(way, `record ${i} lost a tag`);
    for (const tag of held) {
      if (expected.surelyNot.has(tag)) fail(way, `record ${i}: a removed tag is back`);
      if (!expected.addWins.has(tag)) fail(way, `record ${i}: a tag that nobody added last`);
    }
    tags += held.size;
  });
  if (tags !== way.tags) fail(way, `${tags} tags are left, not ${way.tags}`);
  return tags;
}

function once(way, workload, base) {
  const found = {};
  const observers = way.observers ?? replicas;
  const all = Array.from({ length: replicas }, (_, r) => way.open(base, r));
  clean();
  found.local = timed(() => {
    all.forEach((replica, r) => {
      for (const ops of workload.transactions[r]) way.transact(replica, ops);
    });
  })[0];
  const [encode, sent] = timed(() => all.map((replica) => way.messages(replica)));
  found.encode = encode;
  found.wire = sent.flat().reduce((n, message) => n + message.length, 0);
  clean();
  const merging = timed(() => {
    for (let i = 0; i < observers; ++i)
      for (let step = 1; step < replicas; ++step)
        all[i] = way.merge(all[i], sent[(i + step) % replicas]) ?? all[i];
  })[0];
  found.merge = merging / ((observers * total * (replicas - 1)) / replicas);
  const state = way.readAll(all[0]);
  found.tags = check(way, workload, state);
  const wanted = digest(state);
  all.slice(0, observers).forEach((replica, r) => {
    if (r > 0 && digest(way.readAll(replica)) !== wanted) fail(way, `replica ${r} is different`);
  });
  for (const replica of all.slice(1)) way.close(replica);
  if (way.snapshot) {
    clean();
    const [time, bytes] = timed(() => way.snapshot(all[0]));
    found.snapshotEncode = time;
    found.snapshotBytes = bytes.length;
    clean();
    const [open, loaded] = timed(() => {
      const replica = way.load(bytes);
      way.readOne(replica, records - 1);
      return replica;
    });
    found.snapshotOpen = open;
    const [rest, read] = timed(() => way.readAll(loaded));
    found.snapshotRead = open + rest;
    if (digest(read) !== wanted) fail(way, 'the snapshot holds another state');
    way.close(loaded);
  }
  if (way.shut) {
    found.storeBytes = way.shut(all[0]);
    const [open, replica] = timed(() => {
      const opened = way.reopen();
      way.readOne(opened, records - 1);
      return opened;
    });
    found.storeOpen = open;
    const [rest, read] = timed(() => way.readAll(replica));
    found.storeRead = open + rest;
    if (digest(read) !== wanted) fail(way, 'the store holds another state');
    all[0] = replica;
  }
  way.close(all[0]);
  clean();
  return found;
}

// One row of the table.
export function measure(way, workload) {
  const base = way.base(workload);
  const runs = [];
  const start = passed();
  const more = () =>
    runs.length < (quick ? 1 : way.repetitions) && passed() - start < patience;
  do runs.push(once(way, workload, base));
  while (more());
  const middle = (name) => (runs[0][name] === undefined ? null : median(runs.map((r) => r[name])));
  const ms = (name) => (middle(name) === null ? null : middle(name) * 1e3);
  const row = {
    name: way.name,
    repetitions: runs.length,
    observers: way.observers ?? replicas,
    local: total / middle('local'),
    merge: 1 / middle('merge'),
    wire: middle('wire') / total,
    snapshot_bytes: middle('snapshotBytes'),
    snapshot_encode_ms: ms('snapshotEncode'),
    snapshot_open_ms: ms('snapshotOpen'),
    snapshot_read_ms: ms('snapshotRead'),
    store_bytes: middle('storeBytes'),
    store_open_ms: ms('storeOpen'),
    store_read_ms: ms('storeRead'),
    tags: middle('tags'),
  };
  // What is sent one by one is encoded as it is written.
  if (way.bulk)
    row.exchange = 1 / (middle('merge') + middle('encode') / (total * (replicas - 1)));
  return row;
}
