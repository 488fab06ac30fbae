// The wish of the person at the terminal that a command ends which has processes to end before: Ctrl-C, SIGTERM, a terminal that
// was closed, or an output that nobody reads any more.
//
// INTERRUPTION-1: the process outlives all of them, also repeated ones, until the command has ended its processes.

export interface Interruption {
  readonly happened: Promise<void>;
  hasHappened(): boolean;
}

/** To be called before the first process is started. */
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
