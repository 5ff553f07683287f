// Measures one engine, in a process of its own, and prints its rows as JSON:
// node --expose-gc engine.mjs NAME [--quick] [--slow]
import { makeWorkload } from './fitness_w.mjs';
import { measure } from './measure.mjs';

const { ways } = await import(`./${process.argv[2]}.mjs`);
const workload = makeWorkload();
const slow = process.argv.includes('--slow');
const chosen = ways(workload).filter((way) => slow || !way.slow);
console.log(JSON.stringify(chosen.map((way) => measure(way, workload))));
