// Reconnects whenever a connection ends or fails, after a pause that grows with each failed attempt, until a failure is final.
// RECONNECT-1: when there is another server, the pauses begin anew, also the current one: it may be the tenth failure at a server
//     that is gone.
import { type BackoffLimits, backoffPauseMs, type Random } from '@meseta/base';

const BACKOFF: BackoffLimits = { firstMs: 250, longestMs: 10_000 };
const RANDOM: Random = { uint32: () => Math.floor(Math.random() * 2 ** 32) };

export interface ReconnectOptions {
  /** Opens a connection and resolves at its end. Calls `established` once the server has accepted it. */
  connect(established: () => void): Promise<void>;
  /** Whether another attempt would fail in the same way. */
  isFinal(error: unknown): boolean;
  /** Calls `onOther` when there is another server, until the returned function is called. */
  follow?(onOther: () => void): () => void;
  /** Ends the attempts and the current pause. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves once `signal` is aborted; rejects with the first final error. */
export async function keepConnected(options: ReconnectOptions): Promise<void> {
  const { connect, isFinal, signal } = options;
  let failures = 0;
  let isOther = false;
  let endPause: () => void = () => {};
  const unfollow = options.follow?.(() => {
    isOther = true;
    endPause();
  });
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end);
      endPause = end;
    });
  try {
    while (!signal?.aborted) {
      try {
        await connect(() => {
          failures = 0;
        });
      } catch (error) {
        if (!signal?.aborted && isFinal(error)) throw error;
      }
      // RECONNECT-1
      do {
        if (signal?.aborted) return;
        if (isOther) failures = 0;
        isOther = false;
        await pause(backoffPauseMs(BACKOFF, failures, RANDOM));
      } while (isOther);
      failures++;
    }
  } finally {
    unfollow?.();
  }
}
