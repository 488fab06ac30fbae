// A store in memory, for `--registry=in_memory` and tests.
import { ok } from '@meseta/base';
import { checkEpoch } from './fence.js';
import type { LocalStore } from './local-store.js';

export function createMemoryStore(): LocalStore {
  let newest = 0;
  let snapshot: Uint8Array | undefined;
  let batches: Uint8Array[] = [];
  let isOpen = true;

  const requireOpen = (): void => {
    if (!isOpen) throw new Error('the store is closed');
  };

  return {
    async nextEpoch() {
      requireOpen();
      newest++;
      return newest;
    },
    async read(epoch) {
      requireOpen();
      const allowed = checkEpoch(epoch, newest);
      if (!allowed.ok) return allowed;
      newest = epoch;
      return ok({ snapshot, batches: [...batches] });
    },
    async append(epoch, batch) {
      requireOpen();
      const allowed = checkEpoch(epoch, newest);
      if (!allowed.ok) return allowed;
      newest = epoch;
      batches.push(Uint8Array.from(batch));
      return ok(undefined);
    },
    async snapshot(epoch, bytes) {
      requireOpen();
      const allowed = checkEpoch(epoch, newest);
      if (!allowed.ok) return allowed;
      newest = epoch;
      snapshot = Uint8Array.from(bytes);
      batches = [];
      return ok(undefined);
    },
    async close() {
      isOpen = false;
    },
  };
}
