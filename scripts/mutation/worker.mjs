// A process that runs the tests of one mutant after another. The bundle is compiled once and evaluated anew for each
// mutant, so that no module state passes from one mutant to the next.
// Arguments: the file that holds the bundle, and the number of mutants in it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { root } from '../lib.mjs';
import { createTestCollector, createTestContext } from './test-shim.mjs';

const tickMs = 50;
const leastTicks = 60;
/** A mutant that is executed this many times more often than the original code is in an endless loop. */
const hitFactor = 20;
const leastHits = 20_000;

const requireFromRoot = createRequire(join(root, 'package.json'));
// Properties use the same values each time and do not shrink counterexamples.
requireFromRoot('fast-check').configureGlobal({ seed: 1, endOnFailure: true });

const [, , codeFile, mutantCount] = process.argv;
const parameters = 'require, module, exports, activeMutant, countHit, passes';
const script = new Script(`(function (${parameters}) {${readFileSync(codeFile, 'utf8')}\n})`, {
  filename: 'mutants.cjs',
});

/** How often each mutant was executed; Stryker's ids are integers from 0 on. */
const passes = new Uint32Array(Number(mutantCount));
const passed = () => [...passes.entries()].filter(([, count]) => count > 0);

const hits = { count: 0, most: 0 };
const countHit = () => {
  hits.count += 1;
  if (hits.count > hits.most) throw new Error('the mutant was executed too often');
  return true;
};

let strayError;
// The parent may be killed without a chance to end its workers.
process.on('disconnect', () => process.exit());
process.on('uncaughtException', (error) => {
  strayError?.(error);
});
process.on('unhandledRejection', (error) => {
  strayError?.(error);
});

/** A fresh evaluation of the modules with one mutant active (-1: none); test files are loaded on demand. */
function createWorld(activeMutant) {
  const collector = createTestCollector();
  const require = (name) => (name === 'node:test' || name === 'test' ? collector.api : requireFromRoot(name));
  const module = { exports: {} };
  script.runInThisContext()(require, module, module.exports, activeMutant, countHit, passes);
  return {
    load(file) {
      const loaded = collector.files.get(file);
      if (loaded) return loaded;
      collector.begin(file);
      module.exports[file]();
      return collector.files.get(file);
    },
    loaded: () => [...collector.files.values()],
  };
}

/** Settles with the promise, or rejects after so many turns of a timer: a worker that is starved of processor time is not cut off. */
function within(ticks, start) {
  return new Promise((resolve, reject) => {
    let left = ticks;
    const timer = setInterval(() => {
      left -= 1;
      if (left <= 0) end(reject, new Error('timeout'));
    }, tickMs);
    const end = (settle, value) => {
      clearInterval(timer);
      strayError = undefined;
      settle(value);
    };
    strayError = (error) => end(reject, error);
    Promise.resolve()
      .then(start)
      .then(
        (value) => end(resolve, value),
        (error) => end(reject, error),
      );
  });
}

const failureOf = (error) => ({
  timeout: error?.message === 'timeout',
  text: String(error?.message ?? error).slice(0, 300),
});

/** Runs one test of a loaded file. Returns undefined, or why it failed. */
async function runTest(file, { title, run }, ticks) {
  const { context, cleanUp } = createTestContext(title);
  let failure;
  try {
    await within(ticks, async () => {
      for (const hook of file.hooks.beforeEach) await hook(context);
      if (run.length > 1) await new Promise((resolve, reject) => run(context, (e) => (e ? reject(e) : resolve())));
      else await run.call(context, context);
    });
  } catch (error) {
    failure = failureOf(error);
  }
  try {
    await within(ticks, async () => {
      await cleanUp();
      for (const hook of file.hooks.afterEach) await hook(context);
    });
  } catch (error) {
    failure ??= failureOf(error);
  }
  return failure;
}

async function runHooks(file, kind) {
  for (const hook of file.hooks[kind]) await within(leastTicks, hook);
}

/** Runs every test without a mutant and reports which mutants each reaches and how long it takes. */
async function dryRun(files) {
  for (const file of files) {
    passes.fill(0);
    const loaded = createWorld(-1).load(file);
    await runHooks(loaded, 'before');
    const onLoad = passed();
    const tests = [];
    for (const test of loaded.tests) {
      passes.fill(0);
      const before = process.cpuUsage();
      const failure = await runTest(loaded, test, 1200);
      const used = process.cpuUsage(before);
      const cpuMs = (used.user + used.system) / 1000;
      tests.push({ id: `${file} > ${test.title}`, file, title: test.title, cpuMs, failure, reached: passed() });
    }
    await runHooks(loaded, 'after');
    process.send({ kind: 'file', onLoad, tests });
  }
  process.send({ kind: 'done' });
}

const ticksFor = (ms) => Math.max(leastTicks, Math.ceil((ms * 10) / tickMs));

/** Runs tests of a plan until one fails. */
async function runMutant({ id, hits: expectedHits, tests }) {
  hits.most = Math.max(leastHits, expectedHits * hitFactor);
  const world = createWorld(Number(id));
  const started = new Set();
  try {
    for (const { id: testId, file, title, cpuMs } of tests) {
      let failure;
      hits.count = 0;
      try {
        const loaded = world.load(file);
        if (!started.has(file)) {
          started.add(file);
          await runHooks(loaded, 'before');
        }
        const test = loaded.tests.find((it) => it.title === title);
        failure = test ? await runTest(loaded, test, ticksFor(cpuMs)) : { text: 'the test is not there any more' };
      } catch (error) {
        failure = failureOf(error);
      }
      if (hits.count > hits.most) return { status: 'timeout', test: testId };
      if (failure) return { status: failure.timeout ? 'timeout' : 'killed', test: testId };
    }
    return { status: 'survived' };
  } finally {
    hits.most = Number.POSITIVE_INFINITY;
    for (const loaded of world.loaded()) await runHooks(loaded, 'after').catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.on('message', async (message) => {
  if (message.kind === 'dry-run') await dryRun(message.files);
  else process.send({ kind: 'result', id: message.plan.id, result: await runMutant(message.plan) });
});
process.send({ kind: 'ready' });
