// Usage: npm run plots [-- --run] [-- --run=EXPERIMENT[,EXPERIMENT]...] [--agents=N]
// Draws docs/plots/*.svg and writes the tables of docs/scale.md, from docs/plots/data/*.json. --run measures the data
// first (all experiments: an hour of CPU and at least 8 GiB): allocation, hold, load, sharing. --agents=N measures only that
// size of hold and load and keeps the results of other sizes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setup } from './setup.mjs';

setup();
const { bundleNode, root } = await import('./lib.mjs');

const folder = 'docs/plots';
const options = process.argv.slice(2);
const optionOf = (name) => options.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const outdir = `.build/plots-${process.pid}`;
const [program] = await bundleNode(['scripts/plots.ts'], outdir);

function node(...args) {
  const flags = ['--enable-source-maps', '--expose-gc', '--max-old-space-size=14000', '--max-semi-space-size=64'];
  const done = spawnSync(process.execPath, [...flags, program, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 30,
  });
  if (done.status === 0) return done.stdout;
  rmSync(`${root}/${outdir}`, { recursive: true, force: true });
  process.exit(done.status ?? 1);
}

/** Enough to judge a figure by, but nothing that identifies the machine. */
const machine = () => ({
  cores: cpus().length,
  processor: (cpus()[0]?.model ?? 'unknown').replace(/\(R\)|\(TM\)|@.*/g, '').trim(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
});

/** Sizes that are not run again keep their results. */
function measure(name, sizes) {
  const path = `${root}/${folder}/data/${name}.json`;
  const commit = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim();
  let results;
  // Sizes may be from different commits: each says which.
  const signed = (result) => (Array.isArray(result) ? result.map(signed) : { commit, ...result });
  if (sizes === null) results = signed(JSON.parse(node('run', name, '0')));
  else {
    const only = optionOf('agents');
    const wanted = only === undefined ? sizes : [Number(only)];
    const kept = existsSync(path) && only !== undefined ? JSON.parse(readFileSync(path, 'utf8')).results : [];
    const fresh = wanted.map((agents) => signed(JSON.parse(node('run', name, String(agents)))));
    results = [...kept.filter(({ agents }) => !wanted.includes(agents)), ...fresh].sort((a, b) => a.agents - b.agents);
  }
  mkdirSync(`${root}/${folder}/data`, { recursive: true });
  writeFileSync(path, `${JSON.stringify({ machine: machine(), results })}\n`);
  spawnSync(process.execPath, [`${root}/node_modules/@biomejs/biome/bin/biome`, 'format', '--write', path]);
  console.log(`${name}: ${folder}/data/${name}.json`);
}

const run = options.includes('--run') ? 'all' : optionOf('run');
if (run !== undefined) {
  const sizesOf = JSON.parse(node('sizes'));
  const known = Object.keys(sizesOf);
  const wanted = run === 'all' ? known : run.split(',');
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`no experiment ${unknown}; there are: ${known.join(', ')}`);
    rmSync(`${root}/${outdir}`, { recursive: true, force: true });
    process.exit(2);
  }
  for (const name of wanted) measure(name, sizesOf[name]);
}
node('draw', 'docs/scale.md', folder);
rmSync(`${root}/${outdir}`, { recursive: true, force: true });
