// The faults of a run, their times and durations, from a seed.
import { type Random, uniform } from '@meseta/base';

export type Role = 'leader' | 'follower' | 'agent' | 'server';

export interface Fault {
  /** From the beginning of the run. */
  readonly atMs: number;
  /** `kill`: SIGKILL. `pause`: SIGSTOP, later SIGCONT. `cut`: no traffic with other processes of the cluster. */
  readonly kind: 'kill' | 'pause' | 'cut';
  /** The master that leads at that time, another master, an agent, or a server of the election. The number chooses among them. */
  readonly target: { readonly role: Role; readonly number: number };
  /** 0 for `kill`: the daemon is started again at once. */
  readonly durationMs: number;
}

export interface PlanOptions {
  readonly totalMs: number;
  readonly canCut: boolean;
  /** Whether servers of the election have faults. */
  readonly hasServerFaults: boolean;
}

const FIRST_FAULT_MS = 3000;
const LEADER_SHARE = 0.5;
const FOLLOWER_SHARE = 0.15;
/** Of the faults that would have another target than the leader. */
const SERVER_SHARE = 0.5;
/** Longer than the term of a leader, so that another master replaces it. */
const LEADER_FAULT_MS: Range = [7000, 10_000];
/** Shorter than the time after which a master removes an agent. */
const OTHER_FAULT_MS: Range = [2000, 8000];
/** From the end of one fault to the next: the cluster has all its processes in between. */
const PAUSE_MS: Range = [3000, 6000];

type Range = readonly [least: number, most: number];

const between = (random: Random, [least, most]: Range): number => Math.round(least + uniform(random) * (most - least));

function drawRole(random: Random, isFirst: boolean): Exclude<Role, 'server'> {
  const share = uniform(random);
  if (isFirst || share < LEADER_SHARE) return 'leader';
  return share < LEADER_SHARE + FOLLOWER_SHARE ? 'follower' : 'agent';
}

/**
 * One fault after the other; the first is at the leader. Faults of servers are drawn from a stream of their own, so that a seed
 * has the same times and kinds with them and without.
 */
export function planFaults(
  random: Random,
  serverRandom: Random,
  { totalMs, canCut, hasServerFaults }: PlanOptions,
): readonly Fault[] {
  const kinds = canCut ? (['kill', 'pause', 'cut'] as const) : (['kill', 'pause'] as const);
  const faults: Fault[] = [];
  for (let atMs = FIRST_FAULT_MS; atMs < totalMs; ) {
    const kind = kinds[random.uint32() % kinds.length] as Fault['kind'];
    const drawn = drawRole(random, faults.length === 0);
    const isServer = hasServerFaults && drawn !== 'leader' && uniform(serverRandom) < SERVER_SHARE;
    const range = drawn === 'leader' ? LEADER_FAULT_MS : OTHER_FAULT_MS;
    const durationMs = kind === 'kill' ? 0 : between(random, range);
    const target = { role: isServer ? 'server' : drawn, number: random.uint32() } as const;
    faults.push({ atMs, kind, target, durationMs });
    atMs += durationMs + between(random, PAUSE_MS);
  }
  return faults;
}
