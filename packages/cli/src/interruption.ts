// Requests to end a command that first has to end the processes that it started: Ctrl-C, SIGTERM, a closed terminal, or an output
// whose reader has ended.
//
// INTERRUPTION-1: no such request ends this process, also not a repeated one; the command ends it after its processes have ended.

export interface Interruption {
  readonly happened: Promise<void>;
  hasHappened(): boolean;
}

/** Must be called before the first process is started. */
export function listenForInterruption(): Interruption {
  let hasHappened = false;
  let interrupt = (): void => {};
  const happened = new Promise<void>((resolve) => {
    interrupt = (): void => {
      hasHappened = true;
      resolve();
    };
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  for (const stream of [process.stdout, process.stderr]) {
    // Other commands end at once when their output is closed.
    stream.removeAllListeners('error');
    stream.on('error', interrupt);
  }
  return { happened, hasHappened: () => hasHappened };
}
