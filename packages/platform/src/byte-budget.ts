// What bodies of all connections together may hold.
import { LIMITS } from '@meseta/base';

export interface ByteBudget {
  readonly most: number;
  readonly held: number;
  /** False, and nothing is taken, if there isn't so much left. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export function createByteBudget(most: number): ByteBudget {
  let held = 0;
  return {
    most,
    get held() {
      return held;
    },
    take(bytes) {
      if (held + bytes > most) return false;
      held += bytes;
      return true;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}

/** This process' own: whoever reads bodies takes from it. */
export const processBodies = createByteBudget(LIMITS.requestBodies.most);
