// A bounded queue of events between the socket and the reader.
//
// Owns: the received events that the reader has not taken, at most `capacity`.
// Boundary: one writer and one reader. A second `push` or `take` while one waits is not supported.
// EVENT-QUEUE-1: events are taken in the order in which they were pushed; none is dropped.
// EVENT-QUEUE-2: `push` waits while the queue is full, so a slow reader stops the socket instead of filling memory.

export interface EventQueue<T> {
  push(event: T): Promise<void>;
  /** The next event; undefined once ended and empty. Rejects with the reason if ended by a failure. */
  take(): Promise<T | undefined>;
  /** Events pushed before are still taken; then `take` returns undefined, or rejects with the failure. */
  end(failure?: Error): void;
}

export function createEventQueue<T>(capacity: number): EventQueue<T> {
  const events: T[] = [];
  let ended: { readonly failure: Error | undefined } | undefined;
  let wakeReader: (() => void) | undefined;
  let wakeWriter: (() => void) | undefined;

  return {
    async push(event) {
      while (events.length >= capacity && !ended) {
        await new Promise<void>((resolve) => {
          wakeWriter = resolve;
        });
      }
      if (ended) return;
      events.push(event);
      wakeReader?.();
    },
    async take() {
      while (events.length === 0) {
        if (ended?.failure) throw ended.failure;
        if (ended) return undefined;
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
      const event = events.shift();
      wakeWriter?.();
      return event;
    },
    end(failure) {
      ended ??= { failure };
      wakeReader?.();
      wakeWriter?.();
    },
  };
}
