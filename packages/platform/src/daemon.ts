// The process-wide handlers of a daemon: an uncaught error ends it, a signal stops it cleanly.
import type { Logger } from './log.js';
import { writeToStderr } from './stderr.js';

export interface DaemonOptions {
  readonly log: Logger;
  /** Called on SIGINT or SIGTERM; the process exits with status 0 once it resolves. A second signal ends it at once. */
  stop(signal: string): Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Installs the handlers and returns a function that removes them. After an uncaught error the state is not trusted: status 1. */
export function installDaemon({ log, stop }: DaemonOptions): () => void {
  let stopping = false;
  const fatal = (error: unknown): void => {
    const what = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
    log.error(`ending: ${what}`);
    // A silent log would lose the reason.
    if (log.level === 'silent') writeToStderr(`${what}\n`);
    process.exit(1);
  };
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info(`${signal}: stopping`);
    stop(signal).then(() => process.exit(0), fatal);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // A closed terminal or a full disk must not end the daemon.
  const ignore = (): void => {};
  process.stdout.on('error', ignore);
  process.stderr.on('error', ignore);
  return () => {
    process.off('uncaughtException', fatal);
    process.off('unhandledRejection', fatal);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    process.stdout.off('error', ignore);
    process.stderr.off('error', ignore);
  };
}
