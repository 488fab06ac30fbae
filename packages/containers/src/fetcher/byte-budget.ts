// How many bytes a fetch may still bring: each URI has its limit, and all URIs of a task together have one.

export interface ByteBudget {
  /** What the URI at hand may bring at most. */
  readonly leftBytes: number;
  take(bytes: number): void;
}

export interface ByteLimits {
  readonly maxUriBytes: number;
  readonly maxTaskBytes: number;
}

/** Returns the budget of the next URI. */
export function createByteBudgets({ maxUriBytes, maxTaskBytes }: ByteLimits): () => ByteBudget {
  let taskBytes = maxTaskBytes;
  return () => {
    let uriBytes = maxUriBytes;
    return {
      get leftBytes() {
        return Math.max(0, Math.min(uriBytes, taskBytes));
      },
      take(bytes) {
        uriBytes -= bytes;
        taskBytes -= bytes;
      },
    };
  };
}
