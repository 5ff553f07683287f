// The workload fitness-W(N, R), generated to the bit as bench/fitness_w.hpp does it, and what must
// be left of it once every replica has everything: the oracle that each engine is held against.

export const records = 10_000;
export const fields = ['name', 'city', 'club', 'notes', 'age', 'weight'];
export const total = 100_000;
export const replicas = 4;
export const batch = 10;
const expectedChecksum = 4252528642;
const expectedTags = 49_845;

export const kinds = { set: 0, inc: 1, add: 2, remove: 3 };

class Xorshift32 {
  constructor(seed) {
    this.x = seed === 0 ? 1 : seed >>> 0;
  }
  below(n) {
    this.x = (this.x ^ (this.x << 13)) >>> 0;
    this.x = (this.x ^ (this.x >>> 17)) >>> 0;
    this.x = (this.x ^ (this.x << 5)) >>> 0;
    return this.x % n;
  }
}

function value(random, field) {
  if (field >= 4) return random.below(1_000_000);
  const length = 8 + random.below(17);
  let text = '';
  for (let i = 0; i < length; ++i) text += String.fromCharCode(97 + random.below(26));
  return text;
}

function makeBase() {
  const random = new Xorshift32(0x12345678);
  return Array.from({ length: records }, () => {
    const values = fields.map((_, f) => value(random, f));
    const tags = [];
    for (let i = 0; i < 4; ++i) {
      const tag = random.below(200);
      if (!tags.includes(tag)) tags.push(tag);
    }
    return { values, tags };
  });
}

function makeOperations(base, r) {
  const random = new Xorshift32((0x9e3779b9 ^ Math.imul(r + 1, 0x85ebca6b)) >>> 0);
  const tags = base.map((record) => [...record.tags]);
  return Array.from({ length: total / replicas }, () => {
    const record = random.below(records);
    const mine = tags[record];
    const p = random.below(100);
    if (p < 50) {
      const field = random.below(fields.length);
      return { kind: kinds.set, record, argument: field, value: value(random, field) };
    }
    if (p < 70) return { kind: kinds.inc, record, argument: 1 + random.below(50) };
    if (p < 90 || mine.length === 0) {
      const tag = random.below(200);
      if (!mine.includes(tag)) mine.push(tag);
      return { kind: kinds.add, record, argument: tag };
    }
    const k = random.below(mine.length);
    const tag = mine[k];
    mine[k] = mine[mine.length - 1];
    mine.pop();
    return { kind: kinds.remove, record, argument: tag };
  });
}

function checksum(operations) {
  let h = 2166136261;
  const word = (w) => {
    h = Math.imul(h ^ w, 16777619) >>> 0;
  };
  for (const op of operations.flat()) {
    word(op.kind);
    word(op.record);
    word(op.argument);
    if (op.kind !== kinds.set) continue;
    if (op.argument >= 4) word(op.value);
    else for (let i = 0; i < op.value.length; ++i) word(op.value.charCodeAt(i));
  }
  return h;
}

// What is known of the state in the end, whatever arbitrates between concurrent writes: a field
// holds the last write that one of the replicas made to it, xp is the sum of all increments, and a
// set whose adds win holds what some replica added last, or what was in the base and nobody
// touched.
function makeExpected(base, operations) {
  const written = base.map(() => fields.map(() => new Map()));
  const xp = base.map(() => 0);
  const touched = base.map(() => new Map());
  operations.forEach((own, r) => {
    for (const op of own) {
      if (op.kind === kinds.set) written[op.record][op.argument].set(r, op.value);
      else if (op.kind === kinds.inc) xp[op.record] += op.argument;
      else {
        const tags = touched[op.record];
        if (!tags.has(op.argument)) tags.set(op.argument, new Map());
        tags.get(op.argument).set(r, op.kind === kinds.add);
      }
    }
  });
  return base.map((record, i) => {
    const untouched = record.tags.filter((tag) => !touched[i].has(tag));
    const values = record.values.map((was, f) => {
      const writes = [...written[i][f].values()];
      return new Set(writes.length > 0 ? writes : [was]);
    });
    const all = (wanted) =>
      [...touched[i]].filter(([, by]) => [...by.values()].every((last) => last === wanted));
    const some = [...touched[i]].filter(([, by]) => [...by.values()].some((last) => last));
    const names = (pairs) => pairs.map(([tag]) => tag);
    return {
      values,
      xp: xp[i],
      addWins: new Set([...untouched, ...names(some)]),
      // Every sane set holds these, and none of those.
      surely: new Set([...untouched, ...names(all(true))]),
      surelyNot: new Set(names(all(false))),
    };
  });
}

// The key of a record: 16 characters, as random as a real one.
export function key(record) {
  const mix = (h) => {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0).toString(16).padStart(8, '0');
  };
  return mix(2 * record + 1) + mix(2 * record + 2);
}

// The whole workload; ends the program when it is not the one that the figures are about.
export function makeWorkload() {
  const base = makeBase();
  const operations = Array.from({ length: replicas }, (_, r) => makeOperations(base, r));
  const sum = checksum(operations);
  if (sum !== expectedChecksum) throw new Error(`the workload's checksum is ${sum}`);
  const expected = makeExpected(base, operations);
  const tags = expected.reduce((n, record) => n + record.addWins.size, 0);
  if (tags !== expectedTags) throw new Error(`the oracle expects ${tags} tags`);
  const keys = Array.from({ length: records }, (_, i) => key(i));
  const transactions = operations.map((own) => {
    const list = [];
    for (let i = 0; i < own.length; i += batch) list.push(own.slice(i, i + batch));
    return list;
  });
  return { base, transactions, expected, keys };
}
