// A store in memory, for `--registry=in_memory` and tests.
import { ok, type Result } from '@meseta/base';
import { checkEpoch } from './fence.js';
import type { Fenced, LocalStore } from './local-store.js';

export function createMemoryStore(): LocalStore {
  let newest = 0;
  let snapshot: Uint8Array | undefined;
  let batches: Uint8Array[] = [];
  let isOpen = true;

  const requireOpen = (): void => {
    if (!isOpen) throw new Error('the store is closed');
  };
  /** Runs a read or a write, unless its epoch is older than the newest. */
  const fence = <T>(epoch: number, run: () => T): Result<T, Fenced> => {
    requireOpen();
    const allowed = checkEpoch(epoch, newest);
    if (!allowed.ok) return allowed;
    newest = epoch;
    return ok(run());
  };

  return {
    async nextEpoch() {
      requireOpen();
      newest++;
      return newest;
    },
    async read(epoch) {
      return fence(epoch, () => ({ snapshot, batches: [...batches] }));
    },
    async append(epoch, batch) {
      return fence(epoch, () => {
        batches.push(Uint8Array.from(batch));
      });
    },
    async snapshot(epoch, bytes) {
      return fence(epoch, () => {
        snapshot = Uint8Array.from(bytes);
        batches = [];
      });
    },
    async close() {
      isOpen = false;
    },
  };
}
