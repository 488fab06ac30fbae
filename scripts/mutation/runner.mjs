// Runs the mutants of one area in worker processes, with a limit on the processor time of each mutant, and keeps the
// results below .build/mutation, so that an interrupted run continues where it stopped.
import { execFileSync, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { testsOf } from './areas.mjs';
import { bundleMutants } from './bundle.mjs';

const heapMb = 1024;
/** Processor time that one mutant may take on top of five times what its tests take without it. */
const spareCpuMs = 3_000;
const watchMs = 500;
/** A test that takes more processor time is slow. */
const slowCpuMs = 150;
/** Workers are replaced after this many mutants: a failed test may have left a socket or a timer open. */
const mutantsPerWorker = 500;
/** Linux counts the processor time of a process in hundredths of a second. */
const cpuTickMs = 10;

const keptMs = 7 * 86_400_000;
const cacheFolder = join(root, '.build/mutation');
const temporary = join(root, `.build/mutation-tmp-${process.pid}`);

/** Processor time that a process has used, from /proc/PID/stat: it can't be asked while it runs a loop that never ends. */
function cpuMsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [userTicks, systemTicks] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(userTicks) + Number(systemTicks)) * cpuTickMs;
}

const running = new Set();
process.on('exit', () => {
  for (const worker of running) worker.kill('SIGKILL');
});

/** A process, not a thread: a mutant of code that calls the operating system can make it fault (SIGBUS, SIGSEGV). */
function startWorker(code, mutantCount) {
  mkdirSync(temporary, { recursive: true });
  const codeFile = join(temporary, `${createHash('sha256').update(code).digest('hex').slice(0, 16)}.cjs`);
  if (!existsSync(codeFile)) writeFileSync(codeFile, code);
  const worker = fork(new URL('./worker.mjs', import.meta.url), [codeFile, String(mutantCount)], {
    execArgv: [`--max-old-space-size=${heapMb}`],
    env: { ...process.env, TMPDIR: temporary },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  running.add(worker);
  worker.once('exit', () => running.delete(worker));
  return worker;
}

/** Runs every test without a mutant. Returns by mutant id the tests that reach it and how often. */
function dryRun(code, mutantCount, files, withSlow) {
  return new Promise((resolve, reject) => {
    const worker = startWorker(code, mutantCount);
    const done = [];
    const onExit = (status, signal) =>
      reject(new Error(`the tests ended their process (${signal ?? status}) without a mutant`));
    worker.on('error', reject);
    worker.on('exit', onExit);
    worker.on('message', (message) => {
      if (message.kind === 'ready') worker.send({ kind: 'dry-run', files });
      if (message.kind === 'file') done.push(message);
      if (message.kind !== 'done') return;
      worker.off('exit', onExit);
      worker.kill('SIGKILL');
      const failed = done.flatMap(({ tests }) => tests.filter(({ failure }) => failure));
      if (failed.length === 0) return resolve({ reaching: reachingTests(done, withSlow), slow: slowTests(done) });
      const list = failed.map(({ id, failure }) => `  ${id}: ${failure.text}`).join('\n');
      reject(new Error(`${failed.length} tests fail without a mutant:\n${list}`));
    });
  });
}

const slowTests = (files) =>
  files.flatMap(({ tests }) => tests.filter(({ cpuMs }) => cpuMs > slowCpuMs).map(({ id }) => id));

/** The tests that reach each mutant. Slow tests are left out unless requested; the score is then a lower bound. */
function reachingTests(files, withSlow) {
  const reaching = new Map();
  for (const { onLoad, tests } of files) {
    for (const { reached, ...test } of tests) {
      const isJudge = withSlow || test.cpuMs <= slowCpuMs;
      const passes = new Map(onLoad);
      for (const [mutant, count] of reached) passes.set(mutant, count + (passes.get(mutant) ?? 0));
      for (const [mutant, count] of passes) {
        const entry = reaching.get(String(mutant)) ?? { tests: [], hits: 0 };
        if (isJudge) entry.tests.push(test);
        entry.hits = Math.max(entry.hits, count);
        reaching.set(String(mutant), entry);
      }
    }
  }
  return reaching;
}

function readResults(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  // A run that was killed may have left an incomplete line.
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** The results of earlier runs with the same inputs, and the test that killed each mutant in any earlier run. */
function openCache(area, digest) {
  const folder = join(cacheFolder, area.name.replace('/', '-'));
  mkdirSync(folder, { recursive: true });
  const resultsFile = join(folder, `${digest}.jsonl`);
  const results = new Map();
  const killers = new Map();
  const ageMs = (file) => Date.now() - statSync(file).mtimeMs;
  const files = readdirSync(folder).map((name) => join(folder, name));
  for (const file of files.sort((a, b) => ageMs(b) - ageMs(a))) {
    if (file !== resultsFile && ageMs(file) > keptMs) rmSync(file);
    else {
      for (const { key, similar, ...result } of readResults(file)) {
        if (file === resultsFile) results.set(key, result);
        if (result.test !== undefined) killers.set(similar, result.test);
      }
    }
  }
  return {
    results,
    killerOf: (mutant) => killers.get(similarKey(mutant)),
    put(mutant, result) {
      results.set(mutant.key, result);
      const line = { key: mutant.key, similar: similarKey(mutant), ...result };
      appendFileSync(resultsFile, `${JSON.stringify(line)}\n`);
    },
  };
}

/** The same for mutants of a line that has moved since then. */
const similarKey = ({ file, code, mutator, replacement }) => [file, code, mutator, replacement].join('|');

function planFor(mutant, { tests, hits }, killer) {
  return {
    id: mutant.id,
    hits,
    killer,
    tests: tests.map(({ id, file, title, cpuMs }) => ({ id, file, title, cpuMs })),
  };
}

/**
 * The order in which the tests of a plan run: the one that killed the mutant last time, then those that killed most
 * mutants of this run for the processor time that they need.
 */
function inOrder(plan, kills) {
  const rate = ({ id, cpuMs }) => ((kills.get(id) ?? 0) + 1) / (cpuMs + 1);
  const isKiller = ({ id }) => Number(id === plan.killer);
  return { ...plan, tests: [...plan.tests].sort((a, b) => isKiller(b) - isKiller(a) || rate(b) - rate(a)) };
}

/** Runs plans in `concurrency` processes; calls `onResult(plan, result)` for each. */
async function runPlans(code, mutantCount, plans, concurrency, onResult) {
  const queue = [...plans];
  const kills = new Map();
  const nextPlan = () => {
    const plan = queue.shift();
    return plan && inOrder(plan, kills);
  };
  const recordResult = (plan, result) => {
    if (result.test !== undefined) kills.set(result.test, (kills.get(result.test) ?? 0) + 1);
    onResult(plan, result);
  };
  const runQueue = async () => {
    while (queue.length > 0) await runInOneWorker(startWorker(code, mutantCount), nextPlan, recordResult);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, queue.length) }, runQueue));
}

/** Resolves when the worker has ended: after `mutantsPerWorker` plans, on the first that ends it, or after the last. */
function runInOneWorker(worker, nextPlan, recordResult) {
  return new Promise((resolve, reject) => {
    let plan;
    let count = 0;
    let cpuLimitMs = Number.POSITIVE_INFINITY;
    let isReady = false;
    let isOverLimit = false;
    const watch = setInterval(() => {
      if (plan === undefined || worker.exitCode !== null || worker.signalCode !== null) return;
      if (cpuMsOf(worker.pid) <= cpuLimitMs) return;
      isOverLimit = true;
      worker.kill('SIGKILL');
    }, watchMs);
    worker.on('message', (message) => {
      isReady = true;
      if (message.kind === 'result') {
        recordResult(plan, message.result);
        plan = undefined;
      }
      plan = count < mutantsPerWorker ? nextPlan() : undefined;
      if (plan === undefined) return worker.kill('SIGKILL');
      count += 1;
      const expectedMs = plan.tests.reduce((sum, test) => sum + test.cpuMs, 0);
      cpuLimitMs = cpuMsOf(worker.pid) + spareCpuMs + 5 * expectedMs;
      worker.send({ kind: 'mutant', plan });
    });
    worker.on('error', reject);
    worker.on('exit', (status, signal) => {
      clearInterval(watch);
      if (!isReady) return reject(new Error(`a worker did not start (${signal ?? status})`));
      // The engine aborts when the heap is full. Every other end is the mutant's: a fault, or a call of process.exit.
      const isTimeout = isOverLimit || signal === 'SIGABRT';
      if (plan) recordResult(plan, { status: isTimeout ? 'timeout' : 'killed', test: undefined });
      resolve();
    });
  });
}

/**
 * Runs the mutants of `files` that `wanted` selects. Returns `mutants`, each with its status (killed, timeout, survived or
 * noCoverage), and `leftOut`: the slow tests that did not run. `progress(done, total)` is called after each mutant.
 */
export async function runArea({ area, files }, { concurrency, wanted, progress, withSlow, sample }) {
  const tests = testsOf(area);
  const { covering, switching, mutants, digest } = await bundleMutants(files, tests);
  const { reaching, slow } = await dryRun(covering, mutants.length, tests, withSlow);
  const cache = openCache(area, withSlow ? `${digest}-all` : digest);
  const candidates = mutants.filter(wanted);
  const chosen = sample === undefined ? candidates : samplesOf(candidates, sample);
  const byId = new Map(chosen.map((mutant) => [mutant.id, mutant]));
  const plans = [];
  for (const mutant of chosen) {
    const reached = reaching.get(mutant.id);
    if (reached === undefined) cache.results.set(mutant.key, { status: 'noCoverage' });
    else if (!cache.results.has(mutant.key)) plans.push(planFor(mutant, reached, cache.killerOf(mutant)));
  }
  let done = chosen.length - plans.length;
  progress(done, chosen.length);
  try {
    await runPlans(switching, mutants.length, plans, concurrency, (plan, result) => {
      cache.put(byId.get(plan.id), result);
      done += 1;
      progress(done, chosen.length);
    });
  } finally {
    removeTemporary();
  }
  return {
    mutants: chosen.map((mutant) => ({ ...mutant, ...cache.results.get(mutant.key) })),
    /** The number of mutants by file, of which `mutants` has all or a sample. */
    totals: countBy(candidates, ({ file }) => file),
    leftOut: withSlow ? [] : slow,
  };
}

function countBy(items, keyOf) {
  const counts = new Map();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

/** At most `size` mutants per file. A hash of the mutant decides, so every run takes the same ones. */
function samplesOf(mutants, size) {
  const hashOf = ({ key }) => createHash('sha256').update(key).digest('hex');
  const byHash = mutants.map((mutant) => ({ mutant, hash: hashOf(mutant) })).sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const counts = new Map();
  const isTaken = ({ mutant: { file } }) => {
    counts.set(file, (counts.get(file) ?? 0) + 1);
    return counts.get(file) <= size;
  };
  const taken = new Set(byHash.filter(isTaken).map(({ mutant }) => mutant));
  return mutants.filter((mutant) => taken.has(mutant));
}

/** A test may have mounted a file system there, and not unmounted it because its worker was killed. */
export function removeTemporary() {
  const mountPoints = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${temporary}/`));
  for (const point of mountPoints) execFileSync('umount', ['-l', point]);
  rmSync(temporary, { recursive: true, force: true });
}
