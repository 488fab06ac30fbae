// Runs the mutants of one area on threads of this process, with a limit on the processor time of each, and keeps the
// results below .build/mutation, so that a run that was ended goes on where it stopped.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../lib.mjs';
import { testsOf } from './areas.mjs';
import { bundleMutants } from './bundle.mjs';

const heapMb = 1024;
/** Processor time that one mutant may take on top of five times what its tests take without it. */
const spareCpuMs = 3_000;
const watchMs = 500;
/** Beyond this processor time a test is slow. */
const slowCpuMs = 150;
/** Threads are replaced after so many mutants: a test that failed half way may have left a socket or a timer. */
const mutantsPerThread = 500;

const keptMs = 7 * 86_400_000;
const cacheFolder = join(root, '.build/mutation');
const temporary = join(root, `.build/mutation-tmp-${process.pid}`);

function startThread(code, mutantCount) {
  mkdirSync(temporary, { recursive: true });
  const thread = new Worker(new URL('./worker.mjs', import.meta.url), {
    workerData: { code, mutantCount },
    execArgv: [],
    env: { ...process.env, TMPDIR: temporary },
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
    stdout: true,
    stderr: true,
  });
  thread.stdout.resume();
  thread.stderr.resume();
  return thread;
}

/** Runs every test without a mutant; answers by mutant's id the tests that reach it and how often. */
function dryRun(code, mutantCount, files, withSlow) {
  return new Promise((resolve, reject) => {
    const thread = startThread(code, mutantCount);
    const done = [];
    thread.on('error', reject);
    thread.on('exit', (status) => reject(new Error(`the tests ended their thread (${status}) without a mutant`)));
    thread.on('message', (message) => {
      if (message.kind === 'ready') thread.postMessage({ kind: 'dry-run', files });
      if (message.kind === 'file') done.push(message);
      if (message.kind !== 'done') return;
      thread.removeAllListeners('exit');
      thread.terminate();
      const failed = done.flatMap(({ tests }) => tests.filter(({ failure }) => failure));
      if (failed.length === 0) return resolve({ reaching: reachingTests(done, withSlow), slow: slowTests(done) });
      const list = failed.map(({ id, failure }) => `  ${id}: ${failure.text}`).join('\n');
      reject(new Error(`${failed.length} tests fail without a mutant:\n${list}`));
    });
  });
}

const slowTests = (files) =>
  files.flatMap(({ tests }) => tests.filter(({ cpuMs }) => cpuMs > slowCpuMs).map(({ id }) => id));

/** The tests that reach each mutant. Slow ones are left out of a quick run, which so gives a lower bound of the score. */
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
  // A run that was killed may have left half a line.
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** The results of earlier runs over the same inputs, and which test killed a mutant in any earlier run. */
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

/** The same for mutants of a line that has moved since. */
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

/** Runs plans on so many threads; `done(plan, result)` is called for each. */
function runPlans(code, mutantCount, plans, concurrency, done) {
  const queue = [...plans];
  const kills = new Map();
  const threads = new Set();
  return new Promise((resolve, reject) => {
    const open = () => {
      const thread = startThread(code, mutantCount);
      const state = { thread, plan: undefined, cpuMs: 0, count: 0 };
      threads.add(state);
      const next = () => {
        state.plan = queue.shift();
        if (state.plan === undefined || state.count === mutantsPerThread) {
          if (state.plan) queue.unshift(state.plan);
          state.plan = undefined;
          return replace();
        }
        state.count += 1;
        state.cpuMs = 0;
        thread.postMessage({ kind: 'mutant', plan: inOrder(state.plan, kills) });
      };
      const finish = (result) => {
        const plan = state.plan;
        state.plan = undefined;
        if (result.test !== undefined) kills.set(result.test, (kills.get(result.test) ?? 0) + 1);
        if (plan) done(plan, result);
      };
      const replace = () => {
        if (!threads.delete(state)) return;
        thread.terminate().then(() => {
          if (queue.length > 0) open();
          else if (threads.size === 0) stop(resolve);
        });
      };
      state.end = (result) => {
        finish(result);
        replace();
      };
      thread.on('message', (message) => {
        if (message.kind === 'result') finish(message.result);
        next();
      });
      // Out of memory, or a thread that the mutant ended.
      thread.on('error', () => state.end({ status: 'timeout', test: undefined }));
      thread.on('exit', () => state.end({ status: 'killed', test: undefined }));
    };
    let cpuBefore = process.cpuUsage();
    const watch = setInterval(() => {
      const used = process.cpuUsage(cpuBefore);
      cpuBefore = process.cpuUsage();
      for (const state of threads) {
        if (state.plan === undefined) continue;
        state.cpuMs += (used.user + used.system) / 1000 / threads.size;
        const expectedMs = state.plan.tests.reduce((sum, test) => sum + test.cpuMs, 0);
        if (state.cpuMs > spareCpuMs + 5 * expectedMs) state.end({ status: 'timeout', test: undefined });
      }
    }, watchMs);
    const stop = (settle, value) => {
      clearInterval(watch);
      settle(value);
    };
    if (queue.length === 0) return stop(resolve);
    for (let i = 0; i < Math.min(concurrency, queue.length); i += 1) {
      try {
        open();
      } catch (error) {
        stop(reject, error);
      }
    }
  });
}

/**
 * Runs the mutants of `files` that `wanted` picks. Answers `mutants`, each with its status (killed, timeout, survived or
 * noCoverage), and `leftOut`: the tests that took no part, for they are slow. `progress(done, total)` is called after each.
 */
export async function runArea({ area, files }, { concurrency, wanted, progress, withSlow }) {
  const tests = testsOf(area);
  const { covering, switching, mutants, digest } = await bundleMutants(files, tests);
  const { reaching, slow } = await dryRun(covering, mutants.length, tests, withSlow);
  const cache = openCache(area, withSlow ? `${digest}-all` : digest);
  const chosen = mutants.filter(wanted);
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
    rmSync(temporary, { recursive: true, force: true });
  }
  return {
    mutants: chosen.map((mutant) => ({ ...mutant, ...cache.results.get(mutant.key) })),
    leftOut: withSlow ? [] : slow,
  };
}

export function removeTemporary() {
  rmSync(temporary, { recursive: true, force: true });
}
