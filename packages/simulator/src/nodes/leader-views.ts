// The leader as the clients of the election read it: agents and frameworks.
//
// Owns: the leader that each client was notified of last, and whose reads are stale until when.
// Boundary: masters.ts knows who leads, and calls `notify` at each poll.
import type { Random } from '@meseta/base';
import { happens } from '../engine/chance.js';
import type { Machine } from '../engine/machine.js';
import type { World } from '../world.js';

/** The address of the election service: a master or watcher that is cut off from it is cut off from the election. */
export const ELECTION = 'election';

export interface Watcher {
  readonly address: string;
  /** Whether its process runs; otherwise it is not notified. */
  isListening(): boolean;
  leaderChanged(leader: Machine | undefined): void;
}

export interface LeaderViews {
  /** Until that time no watcher is notified: all keep the leader that they know. */
  staleUntilMs: number;
  watch(watcher: Watcher): void;
  /** A process has started and knows no leader. */
  forget(watcher: Watcher): void;
  notify(watcher: Watcher): void;
  notifyAll(): void;
  /** For that time the reads of this address, also those of a new process, return the leader of now. */
  readStale(address: string, ms: number): void;
  endStaleReads(): void;
}

interface StaleRead {
  readonly leader: Machine | undefined;
  readonly untilMs: number;
}

/** `leader`: the elected leader; undefined also while watchers are out of contact with the election for too long. */
export function createLeaderViews(
  { timeline, network, count }: World,
  random: Random,
  leader: () => Machine | undefined,
): LeaderViews {
  const views = new Map<Watcher, Machine | undefined>();
  const staleReads = new Map<string, StaleRead>();

  const leaderReadBy = ({ address }: Watcher): Machine | undefined => {
    const stale = staleReads.get(address);
    return stale === undefined || timeline.nowMs() >= stale.untilMs ? leader() : stale.leader;
  };

  const notify = (watcher: Watcher): void => {
    if (!watcher.isListening() || network.isCut(watcher.address, ELECTION)) return;
    if (timeline.nowMs() < own.staleUntilMs) return;
    const read = leaderReadBy(watcher);
    if (views.get(watcher) === read || !happens(random, 0.6)) return;
    views.set(watcher, read);
    if (read !== leader()) count('stale reads of the election');
    watcher.leaderChanged(read);
  };

  const own: LeaderViews = {
    staleUntilMs: 0,
    watch: (watcher) => void views.set(watcher, undefined),
    forget: (watcher) => void views.set(watcher, undefined),
    notify,
    notifyAll() {
      for (const watcher of views.keys()) notify(watcher);
    },
    readStale: (address, ms) => void staleReads.set(address, { leader: leader(), untilMs: timeline.nowMs() + ms }),
    endStaleReads: () => staleReads.clear(),
  };
  return own;
}
