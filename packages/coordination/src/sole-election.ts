// The election of a cluster with one master: a candidate leads at once, with an epoch from its store.
//
// Owns: the leadership and its watchers.
// SOLE-ELECTION-1: an epoch that the store returns after a later call of `contend`, `withdraw` or `close` is not used.
import type { LocalStore } from './local-store.js';
import type { Election, Leadership } from './types.js';

export function createSoleElection(store: Pick<LocalStore, 'nextEpoch'>): Election {
  const watchers = new Set<(leadership: Leadership | undefined) => void>();
  let leadership: Leadership | undefined;
  /** The number of calls of `contend`, `withdraw` and `close`. */
  let calls = 0;

  const setLeadership = (next: Leadership | undefined): void => {
    if (next === leadership) return;
    leadership = next;
    for (const onChange of [...watchers]) onChange(next);
  };

  return {
    async contend(candidate) {
      calls++;
      const call = calls;
      const epoch = await store.nextEpoch();
      if (call === calls) setLeadership({ epoch, leader: Uint8Array.from(candidate), isMine: true });
    },
    async withdraw() {
      calls++;
      setLeadership(undefined);
    },
    watch(onChange) {
      watchers.add(onChange);
      onChange(leadership);
      return () => {
        watchers.delete(onChange);
      };
    },
    async close() {
      calls++;
      watchers.clear();
      leadership = undefined;
    },
  };
}
