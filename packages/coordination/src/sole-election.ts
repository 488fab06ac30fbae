// The election of a cluster with one master: who contends leads, with an epoch from its store.
import type { LocalStore } from './local-store.js';
import type { Election, Leadership } from './types.js';

export function createSoleElection(store: Pick<LocalStore, 'nextEpoch'>): Election {
  const watchers = new Set<(leadership: Leadership | undefined) => void>();
  let leadership: Leadership | undefined;
  /** Counts the calls of `contend`, `withdraw` and `close`: an epoch that comes after a later one is not taken. */
  let turn = 0;

  const become = (next: Leadership | undefined): void => {
    if (next === leadership) return;
    leadership = next;
    for (const changed of [...watchers]) changed(next);
  };

  return {
    async contend(candidate) {
      turn++;
      const mine = turn;
      const epoch = await store.nextEpoch();
      if (mine === turn) become({ epoch, leader: Uint8Array.from(candidate), mine: true });
    },
    async withdraw() {
      turn++;
      become(undefined);
    },
    watch(changed) {
      watchers.add(changed);
      changed(leadership);
      return () => {
        watchers.delete(changed);
      };
    },
    async close() {
      turn++;
      watchers.clear();
      leadership = undefined;
    },
  };
}
