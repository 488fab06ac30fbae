// The rehearsal of a standby: while another master leads, this process runs elections, registrations, launches and renderings
// through a master of its own, with data of its own. V8 compiles the code that a leader runs, so that the first seconds of
// leadership run compiled code.
//
// Owns: one master at a time, on a port and a registry in memory, and the state of the last one.
// REHEARSAL-1: nothing of it reaches the master that serves, its metrics or its log, the network or a disk. When it is
//     stopped, it releases everything.
// REHEARSAL-2: it ends when this process is elected.
// REHEARSAL-3: it works in slices of a few milliseconds (pace.ts; LOOP-4; RENDERINGS-3), so that a standby redirects requests
//     without delay.
// REHEARSAL-4: V8 drops compiled code when the last object of a shape that the code expects is collected, and code that has
//     not run for several collections. So the state of the last round is kept, and a round is repeated now and then.
import { realClock } from '@meseta/platform';
import type { MasterState } from '../../core/state.js';
import type { MasterConfig } from '../configuration.js';
import { createPace, type Pace, STOPPED } from './pace.js';
import { type RoundCounts, runRound } from './round.js';

export interface Rehearsal {
  /** Resolves when all rounds have been made, with their sums, or with undefined when it was stopped or has failed before. */
  readonly ready: Promise<RoundCounts | undefined>;
  /** The state of the last round's master. */
  kept(): MasterState | undefined;
  stop(): void;
}

/** A master that is elected at once does not begin one. */
const DELAY_MS = 1000;
/**
 * The agents of each round. In the first ones most functions are compiled, and a single step of them must not take long; the
 * last ones take half of the processor time that the first one of their size takes, and more rounds gain little.
 */
const ROUNDS: readonly number[] = [1, 4, 16, ...new Array<number>(10).fill(60)];
/** A round takes less than half a second of processor time. */
const REPEAT_MS = 300_000;
const REPEATED_AGENTS = 60;

export interface RehearsalOptions {
  readonly delayMs?: number;
  readonly rounds?: readonly number[];
}

interface Rehearsing {
  readonly config: MasterConfig;
  readonly pace: Pace;
  state: MasterState | undefined;
}

export function startRehearsal(config: MasterConfig, options: RehearsalOptions = {}): Rehearsal {
  const { delayMs = DELAY_MS, rounds = ROUNDS } = options;
  const rehearsing: Rehearsing = { config, pace: createPace(realClock), state: undefined };
  const ready = rehearse(rehearsing, delayMs, rounds);
  void ready.then((counts) => (counts === undefined ? undefined : repeat(rehearsing)));
  return {
    ready,
    kept: () => rehearsing.state,
    stop() {
      rehearsing.pace.stop();
      rehearsing.state = undefined;
    },
  };
}

/** Runs `work` until the rehearsal is stopped; a failure is logged and ends the rehearsal. */
async function unlessStopped<T>({ config, pace }: Rehearsing, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    if (cause !== STOPPED)
      config.log.warning(`the rehearsal ended early: ${cause instanceof Error ? cause.message : String(cause)}`);
    pace.stop();
    return undefined;
  }
}

const rehearse = (rehearsing: Rehearsing, delayMs: number, rounds: readonly number[]) =>
  unlessStopped(rehearsing, async (): Promise<RoundCounts> => {
    const { config, pace } = rehearsing;
    await pace.pause(delayMs);
    const begunMs = performance.now();
    const counts = { registrations: 0, launches: 0, updates: 0, responses: 0 };
    for (const agents of rounds) {
      const made = await runNext(rehearsing, agents);
      for (const name of Object.keys(counts) as (keyof RoundCounts)[]) counts[name] += made[name];
    }
    const { registrations, launches, responses } = counts;
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
    const text = `${registrations} registrations, ${launches} launches and ${responses} responses in ${seconds} s`;
    config.log.info(`ready to lead: rehearsed ${text}`);
    return counts;
  });

/** REHEARSAL-4 */
const repeat = (rehearsing: Rehearsing) =>
  unlessStopped(rehearsing, async () => {
    for (;;) {
      await rehearsing.pace.pause(REPEAT_MS);
      await runNext(rehearsing, REPEATED_AGENTS);
    }
  });

async function runNext(rehearsing: Rehearsing, agents: number): Promise<RoundCounts> {
  const { config, pace } = rehearsing;
  const { counts, state } = await runRound({ config, agents, pace });
  if (!pace.isStopped()) rehearsing.state = state;
  return counts;
}
