// Puts every mutant of some files behind a switch (Stryker's instrumenter) and bundles the tests of their area once.
// Each test file is an export that loads it on demand, so a run loads only the files it needs.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { build } from 'esbuild';
import { globSync } from '../glob.mjs';
import { externalDependencies, root } from '../lib.mjs';

const silent = () => {};
const logger = {
  ...Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, silent])),
  ...Object.fromEntries(
    ['Trace', 'Debug', 'Info', 'Warn', 'Error', 'Fatal'].map((it) => [`is${it}Enabled`, () => false]),
  ),
};

/** Mutants with their switches: `{ mutants, contents }`, where contents holds the instrumented text of each file. */
async function instrument(files) {
  const instrumenter = new Instrumenter(logger);
  const { files: outputs, mutants } = await instrumenter.instrument(
    files.map((file) => ({ name: join(root, file), mutate: true, content: readFileSync(join(root, file), 'utf8') })),
    { plugins: null, excludedMutations: [], ignorers: [] },
  );
  return {
    contents: new Map(outputs.map(({ name, content }) => [name, withPlainSwitches(content)])),
    mutants: mutants.map((mutant) => described(mutant)),
  };
}

/** A mutant as reports name it; `key` is stable as long as its file is unchanged. */
function described({ id, fileName, location, mutatorName, replacement }) {
  const file = relative(root, fileName);
  const lines = sourceLines(fileName);
  const { start, end } = location;
  const covered = lines.slice(start.line, end.line + 1);
  const original = covered
    .map((text, index) =>
      text.slice(index === 0 ? start.column : 0, index === covered.length - 1 ? end.column : undefined),
    )
    .join('\n');
  return {
    id,
    file,
    line: start.line + 1,
    code: (lines[start.line] ?? '').trim(),
    mutator: mutatorName,
    original,
    replacement,
    key: [file, start.line, start.column, end.line, end.column, mutatorName, replacement].join('|'),
  };
}

const linesOfFile = new Map();
function sourceLines(fileName) {
  const known = linesOfFile.get(fileName) ?? readFileSync(fileName, 'utf8').split('\n');
  linesOfFile.set(fileName, known);
  return known;
}

const instrumented = (contents) => ({
  name: 'mutant-switches',
  setup(plugin) {
    plugin.onLoad({ filter: /\.ts$/ }, ({ path }) =>
      contents.has(path) ? { contents: contents.get(path), loader: 'ts' } : undefined,
    );
  },
});

/**
 * Stryker's switches are calls that count and compare strings, which is many times slower than a loop over bytes around
 * them. Here one mutant is active for a whole run: `activeMutant` is a parameter of the bundle, a constant for the engine,
 * and executed switches are counted in an array of numbers.
 */
const withPlainSwitches = (text) =>
  text
    .replaceAll(/stryMutAct_9fa48\("(\d+)"\)/g, '(activeMutant === $1 && countHit())')
    .replaceAll(/stryCov_9fa48\(((?:"\d+"(?:, )?)+)\)/g, (_, ids) => {
      const counted = ids.match(/\d+/g).map((id) => `passes[${id}]++`);
      return `(${counted.join(', ')})`;
    });

const withoutCounts = (code) => code.replaceAll(/\bpasses\[\d+\]\+\+/g, '0');

/**
 * Returns `{ covering, switching, mutants, digest }`: the bundle as the body of a CommonJS module that exports a loader
 * per test file, once to record which mutants the tests reach and once to run mutants; its mutants; and a digest of all
 * inputs of a result.
 */
export async function bundleMutants(files, tests) {
  const { contents, mutants } = await instrument(files);
  const entry = tests.map((test) => `exports[${JSON.stringify(test)}] = () => { require('./${test}'); };`).join('\n');
  const result = await build(optionsFor(entry, contents));
  const covering = result.outputFiles[0].text;
  // Stories and other data are read while tests run, so esbuild doesn't know of them.
  const data = globSync([...new Set(tests.map((test) => dirname(test)))], '').filter((it) => it.includes('/testdata/'));
  const inputs = [...new Set([...Object.keys(result.metafile.inputs), ...data])];
  return { covering, switching: withoutCounts(covering), mutants, digest: digestOf(inputs) };
}

function optionsFor(entry, contents) {
  return {
    absWorkingDir: root,
    stdin: { contents: entry, resolveDir: root, loader: 'js' },
    write: false,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    metafile: true,
    logLevel: 'error',
    plugins: [instrumented(contents), externalDependencies],
  };
}

function digestOf(inputs) {
  const hash = createHash('sha256');
  const version = createRequire(import.meta.url)('@stryker-mutator/instrumenter/package.json').version;
  hash.update(`${version} ${process.version}\n`);
  for (const input of inputs.filter((it) => it !== '<stdin>').sort()) {
    hash.update(`${input}\n`).update(readFileSync(join(root, input)));
  }
  for (const name of ['worker.mjs', 'test-shim.mjs', 'bundle.mjs'])
    hash.update(readFileSync(join(root, 'scripts/mutation', name)));
  return hash.digest('hex').slice(0, 24);
}
