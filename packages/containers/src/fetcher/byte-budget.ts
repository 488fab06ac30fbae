// How many more bytes a fetch may write: each URI has a limit, and all URIs of a task together have one.

export interface ByteBudget {
  /** How many more bytes this URI may write. */
  readonly remainingBytes: number;
  consume(bytes: number): void;
}

export interface ByteLimits {
  readonly maxUriBytes: number;
  readonly maxTaskBytes: number;
}

/** Returns a function that makes the budget of the next URI. */
export function createByteBudgets({ maxUriBytes, maxTaskBytes }: ByteLimits): () => ByteBudget {
  let taskBytes = maxTaskBytes;
  return () => {
    let uriBytes = maxUriBytes;
    return {
      get remainingBytes() {
        return Math.max(0, Math.min(uriBytes, taskBytes));
      },
      consume(bytes) {
        uriBytes -= bytes;
        taskBytes -= bytes;
      },
    };
  };
}
