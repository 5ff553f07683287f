// sqlite-sync: how it is used here.
//
// Its extension, native code, is loaded into SQLite as the npm package libsql brings it. A table of
// records, whose columns are the fields (the last writer wins, by column); a table of each device's
// total of xp for a record, since it has no counter, read as the sum; and a table with a row for
// each tag of a record, written with INSERT … ON CONFLICT DO NOTHING and DELETE. That is no
// add-wins set: rows have causal lengths, so adding a tag that is there says nothing to others, and
// of a concurrent add and remove the longer history wins: 49 770 tags are left. (The extension
// knows the name of an add-wins algorithm, and refuses it as not supported yet.)
// A transaction of 10 operations is one transaction of SQLite. Databases are files in WAL mode with
// synchronous = NORMAL, as on a device: no commit waits for the disk.
import Database from 'libsql';
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sync from '@sqliteai/sqlite-sync-linux-x86_64';
import { fields, kinds } from './fitness_w.mjs';
import { longestHistoryWins } from './tag_rules.mjs';

const folder = mkdtempSync(join(process.cwd(), 'sqlite-sync-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
let files = 0;

const schema = `
  CREATE TABLE athletes (id TEXT PRIMARY KEY NOT NULL,
    ${fields.map((f, i) => `${f} ${i < 4 ? 'TEXT' : 'INTEGER'}`).join(', ')});
  CREATE TABLE athlete_xp (athlete TEXT NOT NULL, device TEXT NOT NULL, total INTEGER,
    PRIMARY KEY (athlete, device));
  CREATE TABLE athlete_tags (athlete TEXT NOT NULL, tag INTEGER NOT NULL,
    PRIMARY KEY (athlete, tag));`;
const payload = `SELECT cloudsync_payload_encode(
  tbl, pk, col_name, col_value, col_version, db_version, site_id, cl, seq) AS payload
  FROM cloudsync_changes`;

function connect(file = join(folder, `${++files}.db`)) {
  const db = new Database(file);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  db.loadExtension(sync.path);
  return { db, file };
}

function create() {
  const replica = connect();
  replica.db.exec(schema);
  for (const table of ['athletes', 'athlete_xp', 'athlete_tags'])
    replica.db.prepare(`SELECT cloudsync_init('${table}')`).get();
  return replica;
}

function close({ db, file }) {
  db.prepare('SELECT cloudsync_terminate()').get();
  db.close();
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
}

const version = ({ db }) => db.prepare('SELECT cloudsync_db_version() AS v').get().v;

function base({ base, keys }) {
  const replica = create();
  const { db } = replica;
  const row = db.prepare(`INSERT INTO athletes VALUES (?, ${fields.map(() => '?').join(', ')})`);
  const tag = db.prepare('INSERT INTO athlete_tags VALUES (?, ?)');
  for (let from = 0; from < base.length; from += 100) {
    db.exec('BEGIN');
    base.slice(from, from + 100).forEach((record, i) => {
      row.run(keys[from + i], ...record.values);
      for (const t of record.tags) tag.run(keys[from + i], t);
    });
    db.exec('COMMIT');
  }
  const bytes = db.prepare(payload).get().payload;
  close(replica);
  return bytes;
}

function apply({ db }, messages) {
  const statement = db.prepare('SELECT cloudsync_payload_apply(?)');
  // In an array: libsql takes a lone object for named parameters.
  for (const message of messages) statement.get([message]);
}

// Replicas that have the base and a site id of their own, made once; each run gets copies.
const originals = [];

function open(bytes, r) {
  if (!originals[r]) {
    const replica = create();
    apply(replica, [bytes]);
    replica.db.prepare('SELECT cloudsync_terminate()').get();
    replica.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    replica.db.close();
    originals[r] = replica.file;
  }
  const file = join(folder, `${++files}.db`);
  copyFileSync(originals[r], file);
  const replica = connect(file);
  replica.device = `d${r}`;
  replica.known = version(replica);
  replica.set = fields.map((f) => replica.db.prepare(`UPDATE athletes SET ${f} = ? WHERE id = ?`));
  replica.inc = replica.db.prepare(`INSERT INTO athlete_xp VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET total = total + excluded.total`);
  replica.add = replica.db.prepare('INSERT INTO athlete_tags VALUES (?, ?) ON CONFLICT DO NOTHING');
  replica.remove = replica.db.prepare('DELETE FROM athlete_tags WHERE athlete = ? AND tag = ?');
  return replica;
}

function transact(replica, ops, keys) {
  replica.db.exec('BEGIN');
  for (const op of ops) {
    const key = keys[op.record];
    if (op.kind === kinds.set) replica.set[op.argument].run(op.value, key);
    else if (op.kind === kinds.inc) replica.inc.run(key, replica.device, op.argument);
    else if (op.kind === kinds.add) replica.add.run(key, op.argument);
    else replica.remove.run(key, op.argument);
  }
  replica.db.exec('COMMIT');
}

function read({ db }, keys) {
  const some = keys.length === 1;
  const all = (sql, column) =>
    some ? db.prepare(`${sql} WHERE ${column} = ?`).all(keys[0]) : db.prepare(sql).all();
  const found = new Map(
    all(`SELECT id, ${fields.join(', ')} FROM athletes`, 'id').map((row) => [
      row.id,
      { values: fields.map((f) => row[f]), xp: 0, tags: [] },
    ]),
  );
  for (const { athlete, total } of all('SELECT athlete, total FROM athlete_xp', 'athlete'))
    found.get(athlete).xp += total;
  for (const { athlete, tag } of all('SELECT athlete, tag FROM athlete_tags', 'athlete'))
    found.get(athlete).tags.push(tag);
  for (const { tags } of found.values()) tags.sort((a, b) => a - b);
  return keys.map((key) => found.get(key));
}

export function ways(workload) {
  const { keys } = workload;
  const common = {
    tags: longestHistoryWins(workload),
    base,
    open,
    transact: (replica, ops) => transact(replica, ops, keys),
    merge: apply,
    readOne: (replica, i) => read(replica, [keys[i]])[0],
    readAll: (replica) => read(replica, keys),
    close,
  };
  return [
    {
      ...common,
      name: 'sqlite-sync, bulk',
      bulk: true,
      repetitions: 1,
      messages: ({ db, known }) => [
        db.prepare(`${payload} WHERE db_version > ? AND site_id = cloudsync_siteid()`).get(known)
          .payload,
      ],
      snapshot: ({ db }) => db.prepare(payload).get().payload,
      load(bytes) {
        const replica = create();
        apply(replica, [bytes]);
        return replica;
      },
      shut(replica) {
        replica.db.prepare('SELECT cloudsync_terminate()').get();
        replica.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
        replica.db.close();
        this.shutFile = replica.file;
        return statSync(replica.file).size;
      },
      reopen() {
        return connect(this.shutFile);
      },
    },
    {
      ...common,
      name: 'sqlite-sync, 10-op messages',
      repetitions: 1,
      observers: 1,
      open(bytes, r) {
        const replica = open(bytes, r);
        replica.sent = [];
        replica.latest = replica.db.prepare(
          `${payload} WHERE db_version > ? AND site_id = cloudsync_siteid()`,
        );
        return replica;
      },
      transact(replica, ops) {
        transact(replica, ops, keys);
        const message = replica.latest.get(replica.known).payload;
        replica.known = version(replica);
        if (message) replica.sent.push(message);
      },
      messages: ({ sent }) => sent,
    },
  ];
}
