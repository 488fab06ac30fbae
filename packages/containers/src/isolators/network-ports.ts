// network/ports: finds containers that listen on TCP ports that are not among their resources; with
// `--enforce_container_ports` that is a limitation (Mesos: docs/isolators/network-ports.md).
//
// Owns: the watched containers, and the timer of the next look.
// NETWORK-PORTS-1: only sockets of the agent's network namespace count: the ports of another one are its own.
// NETWORK-PORTS-2: a port is held against a container only if one of its live processes has the socket open.
import { type Clock, type ContainerId, err, type Files, ok, type Result } from '@meseta/base';
import type { Resource, ValueRange } from '@meseta/wire';
import type { ContainerRecord } from '../lifecycle.js';
import { findListeningPorts, socketInode } from '../processes/listening-ports.js';
import type { ProcessStat } from '../processes/process-table.js';
import type { Limitation } from '../types.js';
import type { Isolator } from './isolator.js';

const PORTS = 65_536;

export interface PortOptions {
  /** `--container_ports_watch_interval` */
  readonly watchIntervalMs: number;
  /** `--enforce_container_ports`; otherwise a warning is logged. */
  readonly enforce: boolean;
  /** The ports that are watched; undefined: all. */
  readonly watched: readonly ValueRange[] | undefined;
}

export interface NetworkPortsOptions extends PortOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  /** The live processes of a container; none if it does not run. */
  readonly processesOf: (containerId: ContainerId) => Promise<readonly ProcessStat[]>;
  readonly warn: (message: string) => void;
}

interface Watched {
  record: ContainerRecord;
  readonly onLimitation: (limitation: Limitation) => void;
  /** The ports that were found last: of each set the log tells once. */
  warnedOf: string;
}

const portsOf = (resources: readonly Resource[]): readonly ValueRange[] =>
  resources.flatMap(({ name, ranges }) => (name === 'ports' ? (ranges?.range ?? []) : []));

/** A flag for each port. */
function maskOf(ranges: readonly ValueRange[]): Uint8Array {
  const mask = new Uint8Array(PORTS);
  for (const { begin, end } of ranges) mask.fill(1, Math.min(begin, PORTS), Math.min(end + 1, PORTS));
  return mask;
}

/** Why these flags exclude each other, or the ports that are watched; undefined: all. */
export function watchedPortsOf(
  agentPorts: readonly ValueRange[],
  onlyThoseOfAgent: boolean,
  isolatedRange: readonly ValueRange[] | undefined,
): Result<readonly ValueRange[] | undefined, string> {
  if (onlyThoseOfAgent && isolatedRange !== undefined) {
    return err('--check_agent_port_range_only and --container_ports_isolated_range exclude each other');
  }
  return ok(onlyThoseOfAgent ? agentPorts : isolatedRange);
}

/** The ports of the agent's network namespace on which the processes listen. NETWORK-PORTS-1, NETWORK-PORTS-2. */
async function listeningPorts(
  files: Files,
  portByInode: ReadonlyMap<string, number>,
  processes: readonly ProcessStat[],
): Promise<ReadonlySet<number>> {
  const ports = new Set<number>();
  for (const { pid } of processes) {
    const descriptors = await files.openDirectory(`/proc/${pid}/fd`);
    // The process has ended.
    if (!descriptors.ok) continue;
    await descriptors.value.list(async (entries) => {
      for (const { name } of entries) {
        const target = await descriptors.value.readLink(name);
        const port = target.ok ? portByInode.get(socketInode(target.value) ?? '') : undefined;
        if (port !== undefined) ports.add(port);
      }
      return true;
    });
    descriptors.value.close();
  }
  return ports;
}

export function createNetworkPorts(options: NetworkPortsOptions): Isolator {
  const { files, clock, processesOf } = options;
  const watched = new Map<ContainerId, Watched>();
  const isWatchedPort = options.watched === undefined ? undefined : maskOf(options.watched);
  let cancelTimer: (() => void) | undefined;
  let isLooking = false;

  async function check(container: Watched, portByInode: ReadonlyMap<string, number>): Promise<void> {
    const { containerId, resources } = container.record;
    const ports = await listeningPorts(files, portByInode, await processesOf(containerId));
    if (watched.get(containerId) !== container) return;
    const isAllowed = maskOf(portsOf(resources));
    const excess = [...ports].filter((port) => isAllowed[port] === 0).sort((a, b) => a - b);
    if (excess.length === 0) return;
    const message = `Container is listening on unallocated ports: ${excess.join(', ')}`;
    if (options.enforce) container.onLimitation(limitationOf(excess, message));
    else if (container.warnedOf !== message) options.warn(`container ${containerId}: ${message}`);
    container.warnedOf = message;
  }

  /** One look at a time: a container that is watched during one waits for the next. */
  function schedule(): void {
    if (isLooking || cancelTimer !== undefined || watched.size === 0) return;
    cancelTimer = clock.setTimer(options.watchIntervalMs, async () => {
      cancelTimer = undefined;
      isLooking = true;
      await checkAll();
      isLooking = false;
      schedule();
    });
  }

  function stop(): void {
    cancelTimer?.();
    cancelTimer = undefined;
  }

  async function checkAll(): Promise<void> {
    const portByInode = new Map<string, number>();
    for (const table of ['tcp', 'tcp6']) {
      const text = await files.readText(`/proc/self/net/${table}`);
      if (text.ok) findListeningPorts(text.value, isWatchedPort, portByInode);
    }
    if (portByInode.size > 0) for (const container of [...watched.values()]) await check(container, portByInode);
  }

  return {
    name: 'network/ports',
    supports: () => ok(undefined),
    watch(record, onLimitation) {
      watched.set(record.containerId, { record, onLimitation, warnedOf: '' });
      schedule();
    },
    update(record) {
      const container = watched.get(record.containerId);
      if (container !== undefined) container.record = record;
    },
    async cleanUp(containerId) {
      watched.delete(containerId);
      if (watched.size === 0) stop();
    },
    close() {
      watched.clear();
      stop();
    },
  };
}

const limitationOf = (ports: readonly number[], message: string): Limitation => ({
  resources: [{ name: 'ports', type: 'RANGES', ranges: { range: ports.map((port) => ({ begin: port, end: port })) } }],
  reason: 'REASON_CONTAINER_LIMITATION',
  message,
});
