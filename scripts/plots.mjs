// Usage: npm run plots [-- --run] [-- --run=EXPERIMENT[,EXPERIMENT]...] [--agents=N]
// Draws docs/plots/*.svg and writes the tables of docs/scale.md from bench/scale/results/*.json. --run repeats the
// experiments first (allocation, hold, load, sharing; all of them take an hour of CPU and 8 GiB or more). --agents=N repeats
// hold and load with N agents only and keeps their results with other numbers of agents.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { machine } from './machine.mjs';
import { setup } from './setup.mjs';

setup();
const { bundleNode, root } = await import('./lib.mjs');

const results = 'bench/scale/results';
const options = process.argv.slice(2);
const optionOf = (name) => options.find((option) => option.startsWith(`--${name}=`))?.slice(name.length + 3);
const outdir = `.build/plots-${process.pid}`;
const [program] = await bundleNode(['bench/scale/plots.ts'], outdir);

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

/** Keeps the results of the sizes that are not measured again. */
function measure(name, sizes) {
  const path = `${root}/${results}/${name}.json`;
  const commit = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim();
  let measured;
  // Sizes may be from different commits: each says which.
  const withCommit = (result) => (Array.isArray(result) ? result.map(withCommit) : { commit, ...result });
  if (sizes === null) measured = withCommit(JSON.parse(node('run', name, '0')));
  else {
    const only = optionOf('agents');
    const wanted = only === undefined ? sizes : [Number(only)];
    const kept = existsSync(path) && only !== undefined ? JSON.parse(readFileSync(path, 'utf8')).results : [];
    const fresh = wanted.map((agents) => withCommit(JSON.parse(node('run', name, String(agents)))));
    measured = [...kept.filter(({ agents }) => !wanted.includes(agents)), ...fresh].sort((a, b) => a.agents - b.agents);
  }
  writeFileSync(path, `${JSON.stringify({ machine: machine(), results: measured })}\n`);
  spawnSync(process.execPath, [`${root}/node_modules/@biomejs/biome/bin/biome`, 'format', '--write', path]);
  console.log(`${name}: ${results}/${name}.json`);
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
node('draw', results, 'docs/scale.md', 'docs/plots');
rmSync(`${root}/${outdir}`, { recursive: true, force: true });
