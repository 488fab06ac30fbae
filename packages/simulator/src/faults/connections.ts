// The network between two machines is cut, or every connection between them breaks.
// Draws: the two ends, one of which is a master or the election service; for a cut, the direction and the duration.
// Effect: packets in a cut direction are held back, and neither end notices the cut until a packet stays
//     unacknowledged for too long. A break loses packets in flight, and both ends are notified.
// Ends: a cut ends by itself after that time, and at the end of the fault phase; a break is over at once.
import type { Random } from '@meseta/base';
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { addressOfPlace } from '../run/cluster.js';
import { anyAgent, anyMaster, drawDurationMs, type FaultKind, type Shape } from './fault.js';
import type { Place } from './place.js';

export interface Cut {
  readonly kind: 'cut';
  readonly a: Place;
  readonly b: Place;
  readonly ways: 'both' | 'forth' | 'back';
  readonly ms: number;
}

export interface Break {
  readonly kind: 'break';
  readonly a: Place;
  readonly b: Place;
}

/** Masters are connected to agents and frameworks; if there are several, all of these also use the election service. */
function drawEnds(random: Random, shape: Shape): readonly [Place, Place] {
  const master: Place = { kind: 'master', index: anyMaster(random, shape) };
  const election: Place = { kind: 'election' };
  if (shape.masters > 1 && happens(random, 0.2)) return [election, master];
  const client: Place = happens(random, 0.75)
    ? { kind: 'agent', index: anyAgent(random, shape) }
    : { kind: 'framework', index: wholeBetween(random, 0, shape.frameworks - 1) };
  return [shape.masters > 1 && happens(random, 0.1) ? election : master, client];
}

export const cut: FaultKind<Cut> = {
  name: 'cut',
  share: 0.4,
  draw(random, shape) {
    const [a, b] = drawEnds(random, shape);
    const ways = pick(random, ['both', 'both', 'forth', 'back'] as const);
    return { kind: 'cut', a, b, ways, ms: drawDurationMs(random) };
  },
  inject(cluster, { ways, ms, ...ends }) {
    const { network, timeline } = cluster.world;
    const [a, b] = [addressOfPlace(cluster, ends.a), addressOfPlace(cluster, ends.b)];
    if (a === undefined || b === undefined || a === b) return false;
    const directions: (readonly [from: string, to: string])[] = [];
    if (ways !== 'back') directions.push([a, b]);
    if (ways !== 'forth') directions.push([b, a]);
    for (const [from, to] of directions) {
      network.cut(from, to);
      timeline.after(ms, () => network.heal(from, to));
    }
    return true;
  },
  heal: ({ world }) => world.network.healAll(),
};

export const breakConnections: FaultKind<Break> = {
  name: 'break',
  share: 0.23,
  draw(random, shape) {
    const [a, b] = drawEnds(random, shape);
    return { kind: 'break', a, b };
  },
  inject(cluster, ends) {
    const [a, b] = [addressOfPlace(cluster, ends.a), addressOfPlace(cluster, ends.b)];
    return a !== undefined && b !== undefined && cluster.world.network.breakConnections(a, b) > 0;
  },
};
