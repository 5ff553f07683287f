// Runs joinery's program and each other engine's, one after the other, and prints one table:
// node run.mjs JOINERY_PROGRAM [--json FILE] [--quick] [--slow]
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const [program, ...options] = process.argv.slice(2);
const quick = options.includes('--quick');
const switches = options.filter((option) => option === '--quick' || option === '--slow');
const started = Date.now();
const loadBefore = loadavg()[1].toFixed(1);

function rowsOf(name, command, parameters) {
  const start = Date.now();
  process.stderr.write(`${name} … `);
  const out = execFileSync(command, parameters, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stderr.write(`${Math.round((Date.now() - start) / 1000)} s\n`);
  return JSON.parse(out);
}

const rows = rowsOf('joinery', program, [quick ? '1' : '5']);
for (const engine of ['yjs', 'loro', 'automerge', 'sqlite_sync'])
  rows.push(
    ...rowsOf(engine, process.execPath, ['--expose-gc', here('engine.mjs'), engine, ...switches]),
  );

const versions = JSON.parse(readFileSync(here('package.json'))).dependencies;
const machine =
  `${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.versions.node}; ` +
  `load ${loadBefore} before, ${loadavg()[1].toFixed(1)} after (5 minutes; this run alone makes 1)`;

function rate(n) {
  if (n === null || n === undefined) return '–';
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`;
  return n >= 1e5 ? `${Math.round(n / 1e3)} k` : `${(n / 1e3).toFixed(1)} k`;
}
const number = (n, digits) => (n === null || n === undefined ? '–' : n.toFixed(digits));
const megabytes = (n) => (n === null || n === undefined ? '–' : (n / 1e6).toFixed(2));
const milliseconds = (n) => number(n, n < 10 ? 1 : 0);

function print(title, columns, chosen) {
  const lines = [
    columns.map(([name]) => name),
    ...chosen.map((row) => columns.map(([, cell]) => String(cell(row)))),
  ];
  const widths = columns.map((_, c) => Math.max(...lines.map((line) => line[c].length)));
  const pad = (cell, c) => (c ? cell.padStart(widths[c]) : cell.padEnd(widths[c]));
  const text = (line) => `| ${line.map(pad).join(' | ')} |`;
  const rule = `|${widths.map((w, c) => '-'.repeat(w + 1) + (c ? ':' : '-')).join('|')}|`;
  const table = [text(lines[0]), rule, ...lines.slice(1).map(text)].join('\n');
  console.log(`\n${title}\n\n${table}`);
}

console.log(machine);
console.log(
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', '),
);
print(
  `fitness-W(100 000, 4), one thread, medians; time is what the thread worked, for joinery on disk
what passed. exchange: encoding, sending and merging together; open: until one record was read;
read: until all were.`,
  [
    ['', (row) => row.name],
    ['runs', (row) => row.repetitions],
    ['local op/s', (row) => rate(row.local)],
    ['merge op/s', (row) => rate(row.merge)],
    ['exchange op/s', (row) => rate(row.exchange)],
    ['wire B/op', (row) => number(row.wire, 1)],
    ['snapshot MB', (row) => megabytes(row.snapshot_bytes)],
    ['encode ms', (row) => milliseconds(row.snapshot_encode_ms)],
    ['open ms', (row) => milliseconds(row.snapshot_open_ms)],
    ['read ms', (row) => milliseconds(row.snapshot_read_ms)],
    ['tags left', (row) => row.tags],
  ],
  rows,
);
print(
  'Stores on disk, after the merge.',
  [
    ['', (row) => row.name],
    ['file MB', (row) => megabytes(row.store_bytes)],
    ['open ms', (row) => milliseconds(row.store_open_ms)],
    ['read ms', (row) => milliseconds(row.store_read_ms)],
  ],
  rows.filter((row) => row.store_bytes),
);
console.log(`\n${Math.round((Date.now() - started) / 1000)} s in all`);

const json = options.indexOf('--json');
if (json >= 0)
  writeFileSync(options[json + 1], `${JSON.stringify({ machine, versions, rows }, null, 2)}\n`);
