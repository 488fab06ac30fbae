// The masters of a cluster: their processes and the election of the leader.
//
// Owns: the masters' processes, the leadership, every watcher's view of it.
// Boundary: one master with a fixed address, or several with an election like ZooKeeper's: a leader whose session expires
// is replaced, and the watchers are notified within seconds.
import { createAllocator } from '@meseta/allocator';
import type { Random } from '@meseta/base';
import type { MasterOptions } from '@meseta/master/core/options';
import { happens, pick } from '../engine/chance.js';
import { createMachine, type Machine } from '../engine/machine.js';
import { createRegistryStore, type RegistryStore } from '../engine/registry-store.js';
import type { World } from '../world.js';
import { type MasterProcess, startMasterProcess } from './master.js';

/** The address of the election service: a master or watcher that is cut off from it is cut off from the election. */
export const ELECTION = 'election';

export interface Watcher {
  readonly address: string;
  /** Whether its process runs; otherwise it is not notified. */
  isListening(): boolean;
  leaderChanged(leader: Machine | undefined): void;
}

export interface Masters {
  readonly machines: readonly Machine[];
  readonly store: RegistryStore;
  /** The process of the elected master. */
  leader(): MasterProcess | undefined;
  running(): readonly MasterProcess[];
  /** The index of the master that a fault hits: the given one if it runs, otherwise the leader. */
  faultTarget(index: number): number;
  watch(watcher: Watcher): void;
  /** A watcher's process has started and asks for the leader. */
  queryLeader(watcher: Watcher): void;
  crash(index: number, how: 'reset' | 'silent', downMs: number): void;
  /**
   * The election service ends the leader's session: another master is elected, and the old one runs on until it hears of it.
   * Returns false if no election has a leader that runs.
   */
  expireSession(hearsAfterMs: number): boolean;
  /** Until that time no watcher is notified: all keep the leader that they know. */
  staleUntilMs: number;
}

const POLL_MS = 1_000;
const SESSION_MS = 10_000;
const RESTART_MS = 2_000;

interface MasterHost {
  readonly machine: Machine;
  process: MasterProcess | undefined;
  /** Until then its process is down. */
  upAtMs: number;
  /** Until then it does not know that its session has ended. */
  hearsAtMs: number;
}

interface Election {
  leading: MasterHost | undefined;
  renewedAtMs: number;
}

const isHealthy = ({ timeline, network }: World, { machine, upAtMs }: MasterHost): boolean =>
  timeline.nowMs() >= Math.max(upAtMs, machine.pausedUntilMs) &&
  !network.isCut(machine.address, ELECTION) &&
  !network.isCut(ELECTION, machine.address);

/** One poll of the election service. Returns true if a new leader has to be started. */
function elect(world: World, hosts: readonly MasterHost[], election: Election, random: Random): boolean {
  const nowMs = world.timeline.nowMs();
  const { leading } = election;
  if (leading?.process !== undefined && isHealthy(world, leading)) election.renewedAtMs = nowMs;
  if (leading !== undefined && nowMs - election.renewedAtMs > SESSION_MS) election.leading = undefined;
  for (const host of hosts) {
    // A master that loses the leadership exits at once.
    if (host === election.leading || host.process === undefined || !isHealthy(world, host)) continue;
    if (nowMs < host.hearsAtMs) continue;
    world.journal.record(host.machine.name, 'lost the leadership');
    host.process.stop('reset');
    host.process = undefined;
    host.upAtMs = nowMs + RESTART_MS;
  }
  if (election.leading !== undefined) return false;
  const candidates = hosts.filter((host) => host.process === undefined && isHealthy(world, host));
  election.leading = candidates.length === 0 ? undefined : pick(random, candidates);
  election.renewedAtMs = nowMs;
  return election.leading !== undefined;
}

function expireSession(election: Election, hearsAtMs: number): boolean {
  const { leading } = election;
  if (leading?.process === undefined) return false;
  leading.hearsAtMs = hearsAtMs;
  election.leading = undefined;
  return true;
}

export function createMasters(
  world: World,
  count: number,
  options: MasterOptions,
  rates: readonly number[],
  makeAllocator = createAllocator,
): Masters {
  const { timeline, network } = world;
  const hasElection = count > 1;
  const random = world.random('election');
  const store = createRegistryStore(timeline, world.random('registry'), (operations, epoch) => {
    for (const observer of world.observers) observer.registryWritten?.(operations, epoch);
  });
  const hosts: MasterHost[] = Array.from({ length: count }, (_, i) => ({
    machine: createMachine(`master-${i}`, `10.0.1.${i + 1}:5050`, rates[i] ?? 1),
    process: undefined,
    upAtMs: 0,
    hearsAtMs: 0,
  }));
  const views = new Map<Watcher, Machine | undefined>();
  const election: Election = { leading: undefined, renewedAtMs: 0 };
  let incarnations = 0;

  const start = (host: MasterHost): void => {
    host.process = startMasterProcess({
      world,
      name: host.machine.name,
      machine: host.machine,
      options,
      store,
      incarnation: incarnations++,
      makeAllocator,
      onExit() {
        host.process = undefined;
        host.upAtMs = timeline.nowMs() + RESTART_MS;
      },
    });
    world.journal.record(host.machine.name, 'leads');
  };

  const notify = (watcher: Watcher): void => {
    if (!watcher.isListening() || network.isCut(watcher.address, ELECTION)) return;
    if (timeline.nowMs() < masters.staleUntilMs) return;
    const leader = election.leading?.machine;
    if (views.get(watcher) === leader || !happens(random, 0.6)) return;
    views.set(watcher, leader);
    watcher.leaderChanged(leader);
  };

  const poll = (): void => {
    timeline.after(POLL_MS, poll);
    if (hasElection) {
      if (elect(world, hosts, election, random)) start(election.leading as MasterHost);
      for (const watcher of views.keys()) notify(watcher);
      return;
    }
    const [only] = hosts as [MasterHost];
    if (only.process === undefined && timeline.nowMs() >= Math.max(only.upAtMs, only.machine.pausedUntilMs))
      start(only);
  };
  timeline.after(0, poll);

  const masters: Masters = {
    machines: hosts.map(({ machine }) => machine),
    store,
    leader: () => (hasElection ? election.leading?.process : hosts[0]?.process),
    running: () => hosts.flatMap(({ process }) => (process === undefined ? [] : [process])),
    faultTarget: (index) => {
      const leaderIndex = election.leading === undefined ? -1 : hosts.indexOf(election.leading);
      return hosts[index]?.process === undefined && leaderIndex >= 0 ? leaderIndex : index;
    },
    watch: (watcher) => void views.set(watcher, undefined),
    queryLeader(watcher) {
      views.set(watcher, undefined);
      if (!hasElection) watcher.leaderChanged(hosts[0]?.machine);
      else notify(watcher);
    },
    crash(index, how, downMs) {
      const host = hosts[index % count];
      if (host === undefined) return;
      host.process?.stop(how);
      host.process = undefined;
      host.upAtMs = timeline.nowMs() + downMs;
    },
    expireSession: (hearsAfterMs) => expireSession(election, timeline.nowMs() + hearsAfterMs),
    staleUntilMs: 0,
  };
  return masters;
}
