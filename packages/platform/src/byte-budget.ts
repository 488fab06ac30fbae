// A budget for the bytes of incomplete bodies of all connections. Small bodies are accepted even when large ones exhausted it:
// clients that send large bodies slowly must not block agents' messages.
import { LIMITS } from '@meseta/base';

export interface ByteBudget {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Reserves bytes for a body that has `bodyBytes` already; false, without effect, if the budget is exhausted. */
  reserve(bytes: number, bodyBytes: number): boolean;
  release(bytes: number): void;
}

/** Bodies up to this length are always accepted; the number of connections is limited. */
export const FREE_BYTES = 65_536;

export function createByteBudget(maxBytes: number, freeBytes = FREE_BYTES): ByteBudget {
  let usedBytes = 0;
  return {
    maxBytes,
    get usedBytes() {
      return usedBytes;
    },
    reserve(bytes, bodyBytes) {
      if (usedBytes + bytes > maxBytes && bodyBytes + bytes > freeBytes) return false;
      usedBytes += bytes;
      return true;
    },
    release(bytes) {
      usedBytes -= bytes;
    },
  };
}

/** The budget that all readers of bodies in this process share. */
export const sharedBodyBudget = createByteBudget(LIMITS.requestBodies.most);
