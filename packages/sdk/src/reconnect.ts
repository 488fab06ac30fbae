// Reconnects whenever a connection ends or fails, after a pause that grows with each failed attempt, until a failure is final.
import { type BackoffLimits, backoffPauseMs, type Random } from '@meseta/base';

const BACKOFF: BackoffLimits = { firstMs: 250, longestMs: 10_000 };
const RANDOM: Random = { uint32: () => Math.floor(Math.random() * 2 ** 32) };

export interface ReconnectOptions {
  /** Opens a connection and resolves at its end. Calls `established` once the server has accepted it. */
  connect(established: () => void): Promise<void>;
  /** Whether another attempt would fail in the same way. */
  isFinal(error: unknown): boolean;
  /** Ends the attempts and the current pause. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves once `signal` is aborted; rejects with the first final error. */
export async function keepConnected({ connect, isFinal, signal }: ReconnectOptions): Promise<void> {
  let failures = 0;
  while (!signal?.aborted) {
    try {
      await connect(() => {
        failures = 0;
      });
    } catch (error) {
      if (!signal?.aborted && isFinal(error)) throw error;
    }
    if (signal?.aborted) return;
    await pause(backoffPauseMs(BACKOFF, failures, RANDOM), signal);
    failures++;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
}
