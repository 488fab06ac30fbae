// Usage: npm run bench -- [NAME...] [--full] [--runs=N] | npm run bench -- --table
// Without NAME: runs a short version of every benchmark in bench/*/main.ts, prints one table beside the stored previous
// results, and writes the figures as JSON to bench/results/ (full run) or bench/results/local/. A full run, or --table alone,
// also writes the stored full results into bench/README.md. NAME is a folder (launch) or a benchmark of one part
// (wire/offers), which prints its own output. --full uses the sizes that the targets name, and five runs.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { machine } from './machine.mjs';
import { setup } from './setup.mjs';

setup();
const { globSync } = await import('./glob.mjs');
const { bundleNode, root } = await import('./lib.mjs');

const argv = process.argv.slice(2);
const names = argv.filter((argument) => !argument.startsWith('--'));
const options = argv.filter((argument) => argument.startsWith('--'));
const sources = globSync(['bench'], '.ts')
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !file.endsWith('.test.ts') && file.split('/').length === 3);
// The experiments of bench/scale take an hour, and `npm run plots` runs them.
const found = sources.filter((file) => !/^bench\/(?:lib|scale)\//.test(file));
const nameOf = (file) => file.replace(/^bench\//, '').replace(/\/main\.ts$|\.ts$/, '');
const known = new Map(found.map((file) => [nameOf(file), file]));

const unknown = names.find((name) => !known.has(name) && ![...known.keys()].some((it) => it.startsWith(`${name}/`)));
if (unknown !== undefined) {
  console.error(`no benchmark ${unknown}; there are: ${[...known.keys()].sort().join(', ')}`);
  process.exit(2);
}
const isWhole = (file) => file.endsWith('/main.ts');
const isFull = options.includes('--full');
const onlyTable = options.includes('--table');
const wanted = [...known].filter(([name, file]) => {
  if (onlyTable) return false;
  return names.length === 0 ? isWhole(file) : names.some((it) => name === it || name.startsWith(`${it}/`));
});

/** The machine's load average before the run: above the number of cores, times are unreliable and ratios less so. */
const loadBefore = Math.round(loadavg()[0] * 10) / 10;
const outdir = `.build/bench-${process.pid}`;
const workers = sources.filter((file) => file.startsWith('bench/lib/') && file.endsWith('-process.ts'));
const libraries = ['bench/lib/results.ts', 'bench/lib/figures.ts'];
const [results, tables, ...built] = await bundleNode(
  [...libraries, ...wanted.map(([, file]) => file), ...workers],
  outdir,
);
const { storeResults, readResults, withResults } = await import(results);
const { figuresTable } = await import(tables);
const folder = isFull || onlyTable ? 'bench/results' : 'bench/results/local';
const before = readResults(`${root}/${folder}`).flatMap((result) => result.figures);
const commit = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim();
const circumstances = {
  commit: commit || undefined,
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  loadBefore,
};
const figures = [];
let failed = false;
for (const [at, [name, file]] of wanted.entries()) {
  const json = `${root}/${outdir}/figures.json`;
  rmSync(json, { force: true });
  console.log(`\n${name}`);
  const done = spawnSync(
    process.execPath,
    ['--enable-source-maps', '--expose-gc', built[at], ...options, ...(isWhole(file) ? [`--json=${json}`] : [])],
    { cwd: root, stdio: 'inherit' },
  );
  failed ||= done.status !== 0;
  if (!isWhole(file) || done.status !== 0) continue;
  const measured = JSON.parse(readFileSync(json, 'utf8'));
  figures.push(...measured);
  storeResults(`${root}/${folder}`, circumstances, measured);
  console.log(figuresTable(measured, before));
}
if (figures.length > 0) {
  if (wanted.length > 1) console.log(`\n${figuresTable(figures, before)}`);
  const { cores, processor, memoryGiB, node } = circumstances.machine;
  console.log(
    `\n${cores} cores (${processor}), ${memoryGiB} GiB, Node ${node}, load ${loadBefore} before; kept in ${folder}`,
  );
}
if (folder === 'bench/results') {
  const page = `${root}/bench/README.md`;
  writeFileSync(page, withResults(readFileSync(page, 'utf8'), readResults(`${root}/${folder}`)));
}
rmSync(`${root}/${outdir}`, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
