// Usage: node scripts/mutations.mjs [--seeds=N] [NAME_PART]
// Applies one mutation of packages/simulator/mutations/list.mjs at a time and runs the simulator, seed by seed, until an
// invariant is violated, and writes the results to docs/simulator-mutations.md; the rows of other mutations stay. Exits 1 if a
// mutation is not found.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { mutations } from '../packages/simulator/mutations/list.mjs';
import { externalDependencies, root } from './lib.mjs';

const argv = process.argv.slice(2);
const seeds = Number(argv.find((it) => it.startsWith('--seeds='))?.slice('--seeds='.length) ?? 1000);
const part = argv.find((it) => !it.startsWith('--'));
const wanted = mutations.filter(({ name }) => part === undefined || name.includes(part));
if (wanted.length === 0 || !Number.isSafeInteger(seeds) || seeds < 1) {
  console.error(`expected a part of a mutation's name and --seeds=N with N of at least 1, got '${argv.join(' ')}'`);
  process.exit(2);
}
const out = join(root, `.build/mutations-${process.pid}`);

/** Replaces the text in its file, where it must occur exactly once. */
const mutating = ({ file, find, replace }) => ({
  name: 'mutation',
  setup(plugin) {
    plugin.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (path !== join(root, file)) return undefined;
      const text = readFileSync(path, 'utf8');
      if (text.split(find).length !== 2) throw new Error(`${file}: expected the text to replace exactly once`);
      return { contents: text.replace(find, () => replace), loader: 'ts' };
    });
  },
});

/** The first failure of the simulator with the mutation; null if no seed finds it. */
async function findFailure(mutation, index) {
  const outfile = join(out, `${index}.mjs`);
  await build({
    absWorkingDir: root,
    entryPoints: ['packages/simulator/src/run/first-failure.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [mutating(mutation), externalDependencies],
  });
  const child = spawn(process.execPath, [outfile, '1', String(seeds)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}

async function runAll() {
  const found = new Map();
  const queue = [...wanted.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, mutation] = next;
      const failure = await findFailure(mutation, index);
      found.set(mutation, failure);
      console.log(
        failure === null
          ? `NOT FOUND  ${mutation.name}`
          : `seed ${failure.seed}: ${failure.invariant}  <- ${mutation.name}`,
      );
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return found;
}

const page = join(root, 'docs/simulator-mutations.md');

/** The rows of the page as it is, by the mistake. */
const writtenRows = () =>
  new Map(
    readFileSync(page, 'utf8')
      .split('\n')
      .map((line) => [line.split(' | ')[0]?.slice(2), line]),
  );

function table(found) {
  const cells = (...columns) => `| ${columns.join(' | ')} |`;
  const written = writtenRows();
  const rows = mutations.flatMap((mutation) => {
    const failure = found.get(mutation);
    const known = written.get(mutation.name);
    if (failure === undefined) return known ?? [];
    const file = mutation.file.replace('packages/', '').replace('/src', '');
    return cells(mutation.name, `\`${file}\``, failure?.seed ?? 'none', failure?.invariant ?? 'nothing');
  });
  return [
    '# Mutations that the simulator finds',
    '',
    'Each of these mistakes was made in the cores, one at a time, and the simulator was run from seed 1 on until an',
    'invariant was violated. Written by `node scripts/mutations.mjs`; the mutations are in `packages/simulator/mutations`.',
    '',
    cells('mistake', 'in', 'found by seed', 'invariant'),
    cells('---', '---', '---', '---'),
    ...rows,
    '',
  ].join('\n');
}

const found = await runAll();
rmSync(out, { recursive: true, force: true });
writeFileSync(page, table(found));
const missed = [...found.values()].filter((failure) => failure === null).length;
console.log(`${found.size - missed} of ${found.size} found`);
process.exitCode = missed === 0 ? 0 : 1;
