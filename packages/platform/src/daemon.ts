// The last handlers of a process: what nobody caught ends it, a signal closes it cleanly.
import type { Logger } from './log.js';
import { writeToStderr } from './stderr.js';

export interface DaemonOptions {
  readonly log: Logger;
  /** SIGINT or SIGTERM: the process ends with status 0 once this resolves. A second signal ends it at once. */
  stop(signal: string): Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Installs the handlers; answers what removes them. State is never continued from a lie: status 1. */
export function installDaemon({ log, stop }: DaemonOptions): () => void {
  let stopping = false;
  const fatal = (error: unknown): void => {
    const what = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
    log.error(`ending: ${what}`);
    // Without a log the reason would be lost with the process.
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
  // A terminal that goes away, a disk that is full: nothing that becomes of a log may end the daemon.
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
