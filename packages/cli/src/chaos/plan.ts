// The faults of a run, their times and durations, from a seed.
import { type Random, uniform } from '@meseta/base';

export interface Fault {
  /** From the beginning of the run. */
  readonly atMs: number;
  /** `kill`: SIGKILL. `pause`: SIGSTOP, later SIGCONT. `cut`: no traffic with other processes of the cluster. */
  readonly kind: 'kill' | 'pause' | 'cut';
  /** The master that leads at that time, another master, or an agent. The number chooses among them. */
  readonly target: { readonly role: 'leader' | 'follower' | 'agent'; readonly number: number };
  /** 0 for `kill`: the daemon is started again at once. */
  readonly durationMs: number;
}

export interface PlanOptions {
  readonly totalMs: number;
  readonly canCut: boolean;
}

const FIRST_FAULT_MS = 3000;
const LEADER_SHARE = 0.5;
const FOLLOWER_SHARE = 0.15;
/** Longer than the term of a leader, so that another master replaces it. */
const LEADER_FAULT_MS: Range = [7000, 10_000];
/** Shorter than the time after which a master removes an agent. */
const OTHER_FAULT_MS: Range = [2000, 8000];
/** From the end of one fault to the next: the cluster has all its processes in between. */
const PAUSE_MS: Range = [3000, 6000];

type Range = readonly [least: number, most: number];

const between = (random: Random, [least, most]: Range): number => Math.round(least + uniform(random) * (most - least));

/** One fault after the other; the first is at the leader. */
export function planFaults(random: Random, { totalMs, canCut }: PlanOptions): readonly Fault[] {
  const kinds = canCut ? (['kill', 'pause', 'cut'] as const) : (['kill', 'pause'] as const);
  const faults: Fault[] = [];
  for (let atMs = FIRST_FAULT_MS; atMs < totalMs; ) {
    const kind = kinds[random.uint32() % kinds.length] as Fault['kind'];
    const share = uniform(random);
    const role =
      faults.length === 0 || share < LEADER_SHARE
        ? 'leader'
        : share < LEADER_SHARE + FOLLOWER_SHARE
          ? 'follower'
          : 'agent';
    const range = role === 'leader' ? LEADER_FAULT_MS : OTHER_FAULT_MS;
    const durationMs = kind === 'kill' ? 0 : between(random, range);
    faults.push({ atMs, kind, target: { role, number: random.uint32() }, durationMs });
    atMs += durationMs + between(random, PAUSE_MS);
  }
  return faults;
}
