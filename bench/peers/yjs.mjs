// Yjs: how it is used here.
//
// The table is one Y.Map of one document, a record a Y.Map in it. Fields are its entries (the last
// writer wins). Yjs has no counter: xp is a Y.Map of each device's own total, and reads as the sum.
// It has no set either: tags are a Y.Map with the tag as the key, as its users write them, and an
// add sets the key even where it is there. That is nearly an add-wins set: a remove deletes only
// the entry that it saw. But of several concurrent adds only one entry stays, and when the replica
// that made that one removes it again, the others' adds are gone with it: 49 841 tags are left.
// A transaction of 10 operations is one `doc.transact`.
import * as Y from 'yjs';
import { fields, kinds } from './fitness_w.mjs';

// As large as the random ones that Yjs takes by itself, but the same in every run.
const clientIds = [2860712453, 1904467301, 3517804129, 2238117657];

function base({ base, keys }) {
  const doc = new Y.Doc();
  doc.clientID = 1320846931;
  const athletes = doc.getMap('athletes');
  for (let from = 0; from < base.length; from += 100)
    doc.transact(() => {
      base.slice(from, from + 100).forEach((record, i) => {
        const entry = new Y.Map();
        record.values.forEach((value, f) => entry.set(fields[f], value));
        entry.set('xp', new Y.Map());
        entry.set('tags', new Y.Map(record.tags.map((tag) => [String(tag), true])));
        athletes.set(keys[from + i], entry);
      });
    });
  return Y.encodeStateAsUpdateV2(doc);
}

function transact({ doc, athletes, device }, ops, keys) {
  doc.transact(() => {
    for (const op of ops) {
      const record = athletes.get(keys[op.record]);
      if (op.kind === kinds.set) record.set(fields[op.argument], op.value);
      else if (op.kind === kinds.inc) {
        const xp = record.get('xp');
        xp.set(device, (xp.get(device) ?? 0) + op.argument);
      } else if (op.kind === kinds.add) record.get('tags').set(String(op.argument), true);
      else record.get('tags').delete(String(op.argument));
    }
  });
}

function readRecord(record) {
  return {
    values: fields.map((field) => record.get(field)),
    xp: [...record.get('xp').values()].reduce((sum, n) => sum + n, 0),
    tags: [...record.get('tags').keys()].map(Number).sort((a, b) => a - b),
  };
}

function load(bytes) {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, bytes);
  return { doc, athletes: doc.getMap('athletes') };
}

export function ways({ keys }) {
  const common = {
    tags: 49_841, // as it was observed: which of concurrent adds stays is up to Yjs
    repetitions: 5,
    base,
    open(bytes, r) {
      const replica = load(bytes);
      replica.doc.clientID = clientIds[r];
      replica.device = `d${r}`;
      return replica;
    },
    transact: (replica, ops) => transact(replica, ops, keys),
    readOne: ({ athletes }, i) => readRecord(athletes.get(keys[i])),
    readAll: ({ athletes }) => keys.map((key) => readRecord(athletes.get(key))),
    close: ({ doc }) => doc.destroy(),
  };
  return [
    {
      ...common,
      name: 'Yjs, V2, bulk',
      bulk: true,
      open(bytes, r) {
        const replica = common.open(bytes, r);
        replica.known = Y.encodeStateVector(replica.doc);
        return replica;
      },
      messages: ({ doc, known }) => [Y.encodeStateAsUpdateV2(doc, known)],
      merge: ({ doc }, messages) => {
        for (const message of messages) Y.applyUpdateV2(doc, message);
      },
      snapshot: ({ doc }) => Y.encodeStateAsUpdateV2(doc),
      load,
    },
    {
      ...common,
      name: 'Yjs, V1, 10-op messages',
      open(bytes, r) {
        const replica = common.open(bytes, r);
        replica.sent = [];
        replica.listen = (update, origin) => {
          if (origin !== 'peer') replica.sent.push(update);
        };
        replica.doc.on('update', replica.listen);
        return replica;
      },
      messages: ({ doc, sent, listen }) => {
        doc.off('update', listen);
        return sent;
      },
      merge: ({ doc }, messages) => {
        for (const message of messages) Y.applyUpdate(doc, message, 'peer');
      },
    },
  ];
}
