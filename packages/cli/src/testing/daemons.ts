// Real daemons for integration tests and benchmarks: started by the checkout's own command, in a temporary directory.
//
// Owns: the processes that it started and their directory.
// DAEMONS-1: `stop` leaves neither processes nor the directory.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DaemonKind,
  type DaemonProcess,
  type DaemonProcessOptions,
  findFreePort,
  loopbackFlags,
  startDaemonProcess,
  untilHealthy,
} from '../daemon-process.js';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
/** As operators start it: it chooses the sizes of the heap. */
const MESETA = join(process.cwd(), 'bin/meseta');

export interface Daemon {
  readonly pid: number;
  /** `ip:port` */
  readonly address: string;
  readonly logFile: string;
  /** Ends the process, cleanly unless a signal is given, and waits until it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Daemons {
  readonly directory: string;
  /** Starts a master and waits until it answers. A restarted one finds its state at the same port. */
  master(flags?: readonly string[], port?: number): Promise<Daemon>;
  agent(master: string, flags?: readonly string[], port?: number): Promise<Daemon>;
  stop(): Promise<void>;
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const port = await findFreePort();
  assert(port !== undefined, 'no port of 127.0.0.1 is free');
  return port;
}

/** `nodeOptions`: options of Node for the daemons, such as `--cpu-prof`. */
export function createDaemons(nodeOptions: readonly string[] = []): Daemons {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-test-'));
  const running = new Set<DaemonProcess>();
  const command: DaemonProcessOptions['command'] =
    nodeOptions.length === 0 ? [MESETA] : [process.execPath, ...nodeOptions, MESETA];
  const stop = async (daemon: DaemonProcess, signal?: NodeJS.Signals): Promise<void> => {
    running.delete(daemon);
    await daemon.stop({ signal, timeoutMs: STOP_TIMEOUT_MS });
  };
  const start = async (kind: DaemonKind, port: number, flags: readonly string[]): Promise<Daemon> => {
    const logFile = join(directory, `${kind}.log`);
    const allFlags = [...loopbackFlags(kind, port, join(directory, kind)), ...flags];
    const daemon = startDaemonProcess({ kind, command, flags: allFlags, logFile });
    running.add(daemon);
    const address = `127.0.0.1:${port}`;
    await untilHealthy(daemon, address, START_TIMEOUT_MS);
    return { pid: daemon.pid, address, logFile, stop: (signal) => stop(daemon, signal) };
  };
  return {
    directory,
    master: async (flags = [], port) => start('master', port ?? (await freePort()), flags),
    agent: async (master, flags = [], port) =>
      start('agent', port ?? (await freePort()), [`--master=${master}`, ...flags]),
    async stop() {
      // Agents first, so that they can unregister.
      for (const daemon of [...running].reverse()) await stop(daemon);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
