// Automerge: how it is used here.
//
// The table is one map of one document, a record a map in it. Fields are its entries, strings as
// scalars (a plain string of the JavaScript API is a text that merges by character). xp is a
// counter. Automerge has no set: tags are a map with the tag as the key, as its users write them,
// and an add puts the key even where it is there. A delete removes only the writes that it saw, so
// adds win; but a put of the value that a key has already is dropped, so adding a tag that is there
// does not protect it from a delete elsewhere: 49 776 tags are left.
//
// Its JavaScript API keeps plain objects of the whole document beside it, and copies the map of
// 10 000 records in each `change`. That is the way `change`, measured only when asked for (--slow).
// The others go to the document in WebAssembly itself, through the handle that the API has of it: a
// transaction of 10 operations ends with `commit()`. In bulk, changes are sent one after the other,
// as in its files; a bundle holds them column by column.
import * as A from '@automerge/automerge';
import { fields, kinds } from './fitness_w.mjs';
import { addsThatChangeWin } from './tag_rules.mjs';

const actors = [
  '8e1f6b0c5d2a47f39b64c7e05a13d298',
  '3ac97d51e8064b2f8d10f7b2694ec35a',
  'd504e2b78f9c4316a7eb20418c6f53d9',
  '61b8f03e294d4ca5b6f1d78e0c93a24e',
];
const root = '_root';
const typeOf = (value) => (typeof value === 'string' ? 'str' : 'int');

function handle(actor) {
  return A.getBackend(A.init({ actor }));
}

function base({ base, keys }) {
  const doc = handle('f0b2a6d4c81e4937a5d06e7c1b9f8342');
  const athletes = doc.putObject(root, 'athletes', {});
  base.forEach((record, i) => {
    const entry = doc.putObject(athletes, keys[i], {});
    record.values.forEach((value, f) => doc.put(entry, fields[f], value, typeOf(value)));
    doc.put(entry, 'xp', 0, 'counter');
    const tags = doc.putObject(entry, 'tags', {});
    for (const tag of record.tags) doc.put(tags, String(tag), true);
    if (i % 100 === 99) doc.commit(undefined, 0);
  });
  const bytes = doc.save();
  doc.free();
  return bytes;
}

function load(bytes, actor) {
  const doc = handle(actor);
  doc.loadIncremental(bytes);
  return { doc, athletes: doc.get(root, 'athletes') };
}

function transact({ doc, athletes }, ops, keys) {
  for (const op of ops) {
    const record = doc.get(athletes, keys[op.record]);
    if (op.kind === kinds.set)
      doc.put(record, fields[op.argument], op.value, typeOf(op.value));
    else if (op.kind === kinds.inc) doc.increment(record, 'xp', op.argument);
    else {
      const tags = doc.get(record, 'tags');
      if (op.kind === kinds.add) doc.put(tags, String(op.argument), true);
      else doc.delete(tags, String(op.argument));
    }
  }
  doc.commit(undefined, 0);
}

function readRecord(record) {
  return {
    values: fields.map((field) => {
      const value = record[field];
      return typeof value === 'number' ? value : String(value);
    }),
    xp: Number(record.xp),
    tags: Object.keys(record.tags).map(Number).sort((a, b) => a - b),
  };
}

function changed(replica, ops, keys) {
  replica.doc = A.change(replica.doc, { time: 0 }, (d) => {
    for (const op of ops) {
      const record = d.athletes[keys[op.record]];
      if (op.kind === kinds.set)
        record[fields[op.argument]] =
          typeof op.value === 'string' ? new A.ImmutableString(op.value) : op.value;
      else if (op.kind === kinds.inc) record.xp.increment(op.argument);
      else if (op.kind === kinds.add) record.tags[op.argument] = true;
      else delete record.tags[op.argument];
    }
  });
}

export function ways(workload) {
  const { keys } = workload;
  const common = {
    tags: addsThatChangeWin(workload),
    base,
    open(bytes, r) {
      const replica = load(bytes, actors[r]);
      replica.known = replica.doc.getHeads();
      return replica;
    },
    transact: (replica, ops) => transact(replica, ops, keys),
    readOne: ({ doc, athletes }, i) => readRecord(doc.materialize(doc.get(athletes, keys[i]))),
    readAll({ doc, athletes }) {
      const all = doc.materialize(athletes);
      return keys.map((key) => readRecord(all[key]));
    },
    close: ({ doc }) => doc.free(),
  };
  return [
    {
      ...common,
      name: 'Automerge, bulk',
      bulk: true,
      repetitions: 3,
      messages: ({ doc, known }) => [doc.saveSince(known)],
      merge: ({ doc }, messages) => {
        for (const message of messages) doc.loadIncremental(message);
      },
      snapshot: ({ doc }) => doc.save(),
      load: (bytes) => load(bytes, actors[0]),
    },
    {
      ...common,
      name: 'Automerge, bundle',
      bulk: true,
      repetitions: 1,
      observers: 1,
      messages: ({ doc, known }) => [
        doc.saveBundle(doc.getChangesMeta(known).map((change) => change.hash)),
      ],
      merge: ({ doc }, messages) => {
        for (const message of messages) doc.loadIncremental(message);
      },
    },
    {
      ...common,
      name: 'Automerge, 10-op messages',
      repetitions: 1,
      observers: 1,
      open: (bytes, r) => ({ ...load(bytes, actors[r]), sent: [] }),
      transact(replica, ops) {
        transact(replica, ops, keys);
        replica.sent.push(replica.doc.getLastLocalChange());
      },
      messages: ({ sent }) => sent,
      merge: ({ doc }, messages) => {
        for (const message of messages) doc.applyChanges([message]);
      },
    },
    {
      ...common,
      name: 'Automerge, `change`, bulk',
      bulk: true,
      slow: true,
      repetitions: 1,
      observers: 1,
      open(bytes, r) {
        const doc = A.load(bytes, { actor: actors[r] });
        return { doc, known: A.getHeads(doc) };
      },
      transact: (replica, ops) => changed(replica, ops, keys),
      messages: ({ doc, known }) => [A.saveSince(doc, known)],
      merge(replica, messages) {
        for (const message of messages) replica.doc = A.loadIncremental(replica.doc, message);
      },
      readOne: ({ doc }, i) => readRecord(doc.athletes[keys[i]]),
      readAll: ({ doc }) => keys.map((key) => readRecord(doc.athletes[key])),
      close: ({ doc }) => A.free(doc),
    },
  ];
}
