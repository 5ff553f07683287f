// Loro: how it is used here.
//
// The table is one LoroMap of one document, a record a LoroMap in it. Fields are its entries (the
// last writer wins). xp is a LoroCounter. Loro has no set: tags are a LoroMap with the tag as the
// key, as its users write them, where the last writer wins: an add and a remove that do not know of
// each other are decided by their Lamport times, and setting a value that is there already is no
// change at all. 49 772 tags are left.
// A transaction of 10 operations ends with `doc.commit()`. The replicas get the base as updates:
// one that has imported a snapshot decodes each container when it is first touched, and writes and
// merges several times slower until it has touched them all.
import { LoroCounter, LoroDoc, LoroMap } from 'loro-crdt';
import { fields, kinds } from './fitness_w.mjs';
import { lastWriterWins } from './tag_rules.mjs';

// As large as the random ones that Loro takes by itself, but the same in every run.
const peerIds = [
  '11946203178164391321',
  '7405963142786915377',
  '15297428216063570944',
  '9730871625583104459',
];

function base({ base, keys }) {
  const doc = new LoroDoc();
  doc.setPeerId('5673209517702318846');
  const athletes = doc.getMap('athletes');
  base.forEach((record, i) => {
    const entry = athletes.setContainer(keys[i], new LoroMap());
    record.values.forEach((value, f) => entry.set(fields[f], value));
    entry.setContainer('xp', new LoroCounter());
    const tags = entry.setContainer('tags', new LoroMap());
    for (const tag of record.tags) tags.set(String(tag), true);
    if (i % 100 === 99) doc.commit();
  });
  return doc.export({ mode: 'update' });
}

function transact({ doc, athletes }, ops, keys) {
  for (const op of ops) {
    const record = athletes.get(keys[op.record]);
    if (op.kind === kinds.set) record.set(fields[op.argument], op.value);
    else if (op.kind === kinds.inc) record.get('xp').increment(op.argument);
    else if (op.kind === kinds.add) record.get('tags').set(String(op.argument), true);
    else record.get('tags').delete(String(op.argument));
  }
  doc.commit();
}

function readRecord(record) {
  return {
    values: fields.map((field) => record[field]),
    xp: record.xp,
    tags: Object.keys(record.tags).map(Number).sort((a, b) => a - b),
  };
}

function load(bytes) {
  const doc = new LoroDoc();
  doc.import(bytes);
  return { doc, athletes: doc.getMap('athletes') };
}

export function ways(workload) {
  const { keys } = workload;
  const common = {
    tags: lastWriterWins(workload, peerIds.map(BigInt)),
    base,
    open(bytes, r) {
      const replica = load(bytes);
      replica.doc.setPeerId(peerIds[r]);
      replica.known = replica.doc.oplogVersion();
      return replica;
    },
    transact: (replica, ops) => transact(replica, ops, keys),
    readOne: ({ athletes }, i) => readRecord(athletes.get(keys[i]).toJSON()),
    readAll({ athletes }) {
      const all = athletes.toJSON();
      return keys.map((key) => readRecord(all[key]));
    },
    close: ({ doc }) => doc.free(),
  };
  return [
    {
      ...common,
      name: 'Loro, bulk',
      bulk: true,
      repetitions: 3,
      messages: ({ doc, known }) => [doc.export({ mode: 'update', from: known })],
      merge: ({ doc }, messages) => {
        for (const message of messages) doc.import(message);
      },
      snapshot: ({ doc }) => doc.export({ mode: 'snapshot' }),
      load,
    },
    {
      ...common,
      name: 'Loro, 10-op messages',
      repetitions: 1,
      observers: 1,
      open(bytes, r) {
        const replica = common.open(bytes, r);
        replica.sent = [];
        replica.stop = replica.doc.subscribeLocalUpdates((update) => replica.sent.push(update));
        return replica;
      },
      messages: ({ sent, stop }) => {
        stop();
        return sent;
      },
      merge: ({ doc }, messages) => {
        for (const message of messages) doc.import(message);
      },
    },
  ];
}
