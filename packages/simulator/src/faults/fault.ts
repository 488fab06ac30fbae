// A fault is a failure of a part of the cluster, or an operator's action. Each kind is one file whose header says what it
// draws, its effect and how it ends.
//
// FAULT-KINDS-1: each kind draws from a random stream of its own, so a new kind changes no seed that does not draw it.
import type { Random } from '@meseta/base';
import { between, drawDelayMs, happens, pick, streamOf, wholeBetween } from '../engine/chance.js';
import type { Cluster } from '../run/cluster.js';

/** The parts of a plan that faults are drawn for. */
export interface Shape {
  readonly agents: number;
  readonly frameworks: number;
  readonly masters: number;
  readonly faultPhaseMs: number;
}

/** Faults of one kind; `F` is what the kind draws. */
export interface FaultKind<F> {
  /** Also the name of its random stream. */
  readonly name: string;
  /** The share of seeds that draw it at a fault intensity of 1; 0 if only variations draw it. */
  readonly share: number;
  /** The maximum that a seed draws; 12 by default. */
  readonly maxCount?: number;
  draw(random: Random, shape: Shape): F;
  /** Returns false if the target of the fault does not run or was removed from the plan. */
  inject(cluster: Cluster, fault: F): boolean;
  /** Called once, when the fault phase ends. Undefined if the fault ends by itself or is permanent. */
  heal?(cluster: Cluster): void;
}

/** The factor by which a seed multiplies the shares of all kinds: its fault intensity. */
const intensityOf = (seed: number): number => pick(streamOf(seed, 'storm'), [0, 0.5, 1, 1, 1.5, 2]);

/** The faults of one kind in a seed. */
export function drawFaults<F>(
  seed: number,
  { name, share, maxCount = 12, draw }: FaultKind<F>,
  shape: Shape,
): readonly (F & { readonly atMs: number })[] {
  const random = streamOf(seed, `fault ${name}`);
  if (!happens(random, share * intensityOf(seed))) return [];
  const count = wholeBetween(random, 1, Math.min(maxCount, pick(random, [2, 4, 12])));
  return Array.from({ length: count }, () => ({
    atMs: between(random, 1_000, shape.faultPhaseMs),
    ...draw(random, shape),
  }));
}

export const anyAgent = (random: Random, { agents }: Shape): number => wholeBetween(random, 0, agents - 1);
export const anyMaster = (random: Random, { masters }: Shape): number => wholeBetween(random, 0, masters - 1);

type Effect<F> = Pick<FaultKind<F>, 'inject' | 'heal'>;

/** A kind of faults of one agent; `draw` gives what it draws beside the agent. */
export const agentFault = <Kind extends string, Drawn extends object>(
  kind: Kind,
  draw: (random: Random) => Drawn,
  effect: Effect<{ readonly kind: Kind; readonly agent: number } & Drawn>,
  share = 0.23,
): FaultKind<{ readonly kind: Kind; readonly agent: number } & Drawn> => ({
  name: kind,
  share,
  draw: (random, shape) => ({ kind, agent: anyAgent(random, shape), ...draw(random) }),
  ...effect,
});

/** A kind of faults of one master; `draw` gives what it draws beside the master. */
export const masterFault = <Kind extends string, Drawn extends object>(
  kind: Kind,
  draw: (random: Random) => Drawn,
  effect: Effect<{ readonly kind: Kind; readonly master: number } & Drawn>,
): FaultKind<{ readonly kind: Kind; readonly master: number } & Drawn> => ({
  name: kind,
  share: 0.23,
  draw: (random, shape) => ({ kind, master: anyMaster(random, shape), ...draw(random) }),
  ...effect,
});

/** Every fault ends early enough that the cluster can recover before the quiescence checks. */
const LONGEST_MS = 600_000;

/** How long a crashed process is down. */
export const drawDownMs = (random: Random): number =>
  Math.min(LONGEST_MS, 500 + drawDelayMs(random, pick(random, [2_000, 20_000, 90_000])));

/** How long a fault lasts that ends by itself. */
export const drawDurationMs = (random: Random): number =>
  Math.min(LONGEST_MS, 500 + drawDelayMs(random, pick(random, [3_000, 30_000, 100_000])));
