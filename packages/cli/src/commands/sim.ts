// `meseta sim`: simulates clusters with faults, one for each seed, and prints failures with the command that replays them.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import {
  type Failure,
  type Outcome,
  PARTS,
  planOf,
  play,
  renderFailure,
  replayCommand,
  runSwarm,
  type Selection,
  select,
  serveSwarm,
  shrink,
  simulate,
} from '@meseta/simulator';
import { EXIT, parse, parseDurationOption, parseInteger, readOptionFile, usageError } from '../command.js';

const USAGE = `Usage: meseta sim [--seeds=FROM..TO | --seed=N | --play=FILE] [OPTION]...
Simulates clusters, with the real master, agents and allocator, on a virtual clock. Each seed determines a cluster and its
faults. A run that violates an invariant prints the command that replays it.

      --seeds=FROM..TO     run each of these seeds (default: 1..200)
      --seed=N             run this seed
      --play=FILE          play a scenario and print its log; status 1 if the log differs from the file
      --workers=N          the number of processes (default: one for each core)
      --duration=DURATION  run seeds from FROM on for this long, such as 15mins
      --log                with one seed: print every event
      --plan               with one seed: print its plan without running it
      --no-shrink          do not reduce a failing run
      --faults=N,N,...     keep only these faults of the seed ("none" for none)
      --agents=N,N,...     keep only these agents of the seed
      --frameworks=N,N,... keep only these frameworks of the seed
  -h, --help               print this help
`;

export const OPTIONS = {
  seeds: { type: 'string' },
  seed: { type: 'string' },
  play: { type: 'string' },
  workers: { type: 'string' },
  duration: { type: 'string' },
  log: { type: 'boolean' },
  plan: { type: 'boolean' },
  'no-shrink': { type: 'boolean' },
  faults: { type: 'string' },
  agents: { type: 'string' },
  frameworks: { type: 'string' },
  worker: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function simProgram(argv: readonly string[]): Promise<number> {
  const { values } = parse('sim', { args: [...argv], options: OPTIONS });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  if (values.worker) {
    serveSwarm();
    return new Promise((resolve) => process.on('disconnect', () => resolve(EXIT.done)));
  }
  if (values.play !== undefined) return playFile(values.play);
  const mayShrink = values['no-shrink'] !== true;
  if (values.seed !== undefined) {
    const seed = parseInteger('sim', 'seed', values.seed, 0, Number.MAX_SAFE_INTEGER);
    return runSeed(seed, selectionOf(values), { log: values.log === true, plan: values.plan === true, mayShrink });
  }
  const workers =
    values.workers === undefined
      ? availableParallelism()
      : parseInteger('sim', 'workers', values.workers, 1, MAX_WORKERS);
  const { duration } = values;
  const durationMs = duration === undefined ? undefined : parseDurationOption('sim', 'duration', duration);
  return runSeeds(seedsOf(values.seeds ?? '1..200', durationMs !== undefined), { workers, durationMs, mayShrink });
}

function playFile(file: string): number {
  const text = readOptionFile('play', file);
  const played = play(text);
  process.stdout.write(played);
  return played === text ? EXIT.done : EXIT.failed;
}

function selectionOf(values: { readonly [part in (typeof PARTS)[number]]?: string | undefined }): Selection {
  const numbers = (option: string, text: string): ReadonlySet<number> =>
    new Set(
      text === 'none'
        ? []
        : text.split(',').map((number) => parseInteger('sim', option, number, 0, Number.MAX_SAFE_INTEGER)),
    );
  return Object.fromEntries(
    PARTS.flatMap((part) => (values[part] === undefined ? [] : [[part, numbers(part, values[part])]])),
  ) as Selection;
}

function* seedsOf(text: string, endless: boolean): Generator<number> {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  if (match === null) throw usageError('sim', `--seeds: expected FROM..TO, got '${text}'`);
  const [from, to] = [match[1], match[2]].map((number) =>
    parseInteger('sim', 'seeds', number ?? '', 0, Number.MAX_SAFE_INTEGER),
  ) as [number, number];
  for (let seed = from; endless || seed <= to; seed++) yield seed;
}

/** More processes than a machine can bear. */
const MAX_WORKERS = 1024;

const write = (text: string): void => void process.stdout.write(`${text}\n`);

interface OneRun {
  readonly log: boolean;
  readonly plan: boolean;
  readonly mayShrink: boolean;
}

function runSeed(seed: number, selection: Selection, { log, plan: showPlan, mayShrink }: OneRun): number {
  const plan = select(planOf(seed), selection);
  if (showPlan) {
    const lists = Object.fromEntries(PARTS.map((part) => [part, Object.fromEntries(plan[part])]));
    write(JSON.stringify({ ...plan, ...lists }, undefined, 2));
    return EXIT.done;
  }
  const { failure, virtualMs, events } = simulate(plan, log ? { onLine: write } : {});
  if (failure === undefined) {
    write(
      `seed ${seed}: no invariant was violated in ${Math.round(virtualMs / 60_000)} virtual minutes and ${events} events`,
    );
    return EXIT.done;
  }
  report(seed, selection, failure);
  if (mayShrink && !log) reportShrunk(seed, failure);
  return EXIT.failed;
}

const report = (seed: number, selection: Selection, failure: Failure): void =>
  write(renderFailure(seed, selection, failure).join('\n'));

function reportShrunk(seed: number, { invariant }: Failure): void {
  const { selection, runs } = shrink(planOf(seed), invariant);
  const remaining = PARTS.map((part) => `${selection[part]?.size ?? 0} ${part}`).join(', ');
  write(`  shrunk in ${runs} runs to ${remaining}: ${replayCommand(seed, selection)}`);
}

interface ManyRuns {
  readonly workers: number;
  readonly durationMs: number | undefined;
  readonly mayShrink: boolean;
}

/** A run makes much short-lived garbage: a larger young generation saves a tenth of a worker's CPU time. */
const WORKER_FLAGS = ['--max-semi-space-size=32'];

async function runSeeds(seeds: Iterable<number>, { workers, durationMs, mayShrink }: ManyRuns): Promise<number> {
  const startedMs = Date.now();
  const failures: Outcome[] = [];
  const counts = new Map<string, number>();
  let runs = 0;
  let virtualMs = 0;
  await runSwarm({
    seeds,
    workers,
    startWorker: () =>
      fork(process.argv[1] ?? '', ['sim', '--worker'], { serialization: 'advanced', execArgv: WORKER_FLAGS }),
    goOn: () => durationMs === undefined || Date.now() - startedMs < durationMs,
    outcome(outcome) {
      runs++;
      virtualMs += outcome.virtualMs;
      for (const [what, count] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + count);
      if (outcome.failure === undefined) return;
      failures.push(outcome);
      report(outcome.seed, {}, outcome.failure);
    },
  });
  for (const [what, count] of [...counts].sort()) write(`${String(count).padStart(10)} ${what}`);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  write(
    `${runs} runs, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, in ${seconds} s: ${failures.length} failed`,
  );
  const [first] = failures;
  if (first?.failure !== undefined && mayShrink) reportShrunk(first.seed, first.failure);
  return failures.length === 0 ? EXIT.done : EXIT.failed;
}
