// The watchers of a leader, for every implementation of LeaderObserver.
import type { Leader } from './types.js';

export interface LeaderWatch {
  set(leader: Leader | undefined): void;
  watch(onChange: (leader: Leader | undefined) => void): () => void;
  clear(): void;
}

const isSame = (a: Leader | undefined, b: Leader | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.compare(a.info, b.info) === 0;

export function createLeaderWatch(): LeaderWatch {
  const watchers = new Set<(leader: Leader | undefined) => void>();
  let current: Leader | undefined;
  return {
    set(leader) {
      if (isSame(leader, current)) return;
      current = leader;
      for (const onChange of [...watchers]) onChange(leader);
    },
    watch(onChange) {
      watchers.add(onChange);
      onChange(current);
      return () => {
        watchers.delete(onChange);
      };
    },
    clear() {
      watchers.clear();
      current = undefined;
    },
  };
}
