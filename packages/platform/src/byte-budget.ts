// A budget for the bytes of incomplete bodies of all connections. Small bodies are accepted even when large ones exhausted it:
// strangers who send large bodies slowly must not block agents' messages.
import { LIMITS } from '@meseta/base';

export interface ByteBudget {
  readonly most: number;
  readonly held: number;
  /** Takes the bytes, or returns false if the budget is exhausted. `own`: the bytes that the body holds already. */
  take(bytes: number, own: number): boolean;
  give(bytes: number): void;
}

/** Bodies up to this length are always accepted; the number of connections is limited. */
export const FREE_BYTES = 65_536;

export function createByteBudget(most: number, freeBytes = FREE_BYTES): ByteBudget {
  let held = 0;
  return {
    most,
    get held() {
      return held;
    },
    take(bytes, own) {
      if (held + bytes > most && own + bytes > freeBytes) return false;
      held += bytes;
      return true;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}

/** The budget that all readers of bodies in this process share. */
export const processBodies = createByteBudget(LIMITS.requestBodies.most);
