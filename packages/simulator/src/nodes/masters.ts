// The masters of a cluster: their processes and the election of the leader.
//
// Owns: the masters' processes and the leadership.
// Boundary: one master with a fixed address, or several with an election like ZooKeeper's: a leader whose session expires
// is replaced, and the watchers are notified within seconds (leader-views.ts).
import { createAllocator } from '@meseta/allocator';
import type { Random } from '@meseta/base';
import type { MasterOptions } from '@meseta/master/core/options';
import { pick } from '../engine/chance.js';
import { createMachine, type Machine } from '../engine/machine.js';
import { createRegistryStore, type RegistryStore } from '../engine/registry-store.js';
import type { World } from '../world.js';
import { createLeaderViews, ELECTION, type LeaderViews, type Watcher } from './leader-views.js';
import { type MasterProcess, startMasterProcess } from './master.js';

export interface Masters {
  readonly machines: readonly Machine[];
  readonly store: RegistryStore;
  readonly views: LeaderViews;
  /** The process of the elected master. */
  leader(): MasterProcess | undefined;
  running(): readonly MasterProcess[];
  /** The index of the master that a fault hits: the given one if it runs, otherwise the leader. */
  faultTarget(index: number): number;
  /** A watcher's process has started and asks for the leader. */
  queryLeader(watcher: Watcher): void;
  crash(index: number, how: 'reset' | 'silent', downMs: number): void;
  /**
   * The election service ends the leader's session: another master is elected, and the old one runs on until it hears of it.
   * Returns false if no election has a leader that runs.
   */
  expireSession(hearsAfterMs: number): boolean;
  /** This master does not hear before that time that it lost the leadership. */
  delayLoss(master: MasterProcess, untilMs: number): void;
  /** Nobody reaches the election service and the store for that time. Returns false if there is no election. */
  beginOutage(ms: number): boolean;
  endOutage(): void;
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
  /** The time of the outage; both are 0 before the first. */
  outageFromMs: number;
  outageUntilMs: number;
}

const isHealthy = ({ timeline, network }: World, { machine, upAtMs }: MasterHost): boolean =>
  timeline.nowMs() >= Math.max(upAtMs, machine.pausedUntilMs) &&
  !network.isCut(machine.address, ELECTION) &&
  !network.isCut(ELECTION, machine.address);

/** Whether an outage lasts already longer than a session. */
const hasLostContact = ({ outageFromMs, outageUntilMs }: Election, nowMs: number): boolean =>
  nowMs < outageUntilMs && nowMs - outageFromMs > SESSION_MS;

function endProcess(world: World, host: MasterHost, reason: string): void {
  world.journal.record(host.machine.name, reason);
  host.process?.stop('reset');
  host.process = undefined;
  host.upAtMs = world.timeline.nowMs() + RESTART_MS;
}

/** One poll of the election service. Returns true if a new leader has to be started. */
function elect(world: World, hosts: readonly MasterHost[], election: Election, random: Random): boolean {
  const nowMs = world.timeline.nowMs();
  const { leading } = election;
  if (nowMs < election.outageUntilMs) {
    // The sessions are kept until the service is back, but a leader without an answer for that time does not know this.
    for (const host of hasLostContact(election, nowMs) ? hosts : [])
      if (host.process !== undefined && isHealthy(world, host)) endProcess(world, host, 'its term has passed');
    return false;
  }
  if (leading?.process !== undefined && isHealthy(world, leading)) election.renewedAtMs = nowMs;
  if (leading !== undefined && nowMs - election.renewedAtMs > SESSION_MS) election.leading = undefined;
  for (const host of hosts) {
    // A master that loses the leadership exits at once.
    if (host === election.leading || host.process === undefined || !isHealthy(world, host)) continue;
    if (nowMs >= host.hearsAtMs) endProcess(world, host, 'lost the leadership');
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

const createStore = (world: World): RegistryStore =>
  createRegistryStore(
    world.timeline,
    world.random('registry'),
    (operations, epoch) => {
      for (const observer of world.observers) observer.registryWritten?.(operations, epoch);
    },
    (epoch) => {
      for (const observer of world.observers) observer.registryFailed?.(epoch);
    },
  );

export function createMasters(
  world: World,
  count: number,
  options: MasterOptions,
  rates: readonly number[],
  makeAllocator = createAllocator,
): Masters {
  const { timeline } = world;
  const hasElection = count > 1;
  const random = world.random('election');
  const store = createStore(world);
  const hosts: MasterHost[] = Array.from({ length: count }, (_, i) => ({
    machine: createMachine(`master-${i}`, `10.0.1.${i + 1}:5050`, rates[i] ?? 1),
    process: undefined,
    upAtMs: 0,
    hearsAtMs: 0,
  }));
  const election: Election = { leading: undefined, renewedAtMs: 0, outageFromMs: 0, outageUntilMs: 0 };
  const views = createLeaderViews(world, random, () =>
    hasLostContact(election, timeline.nowMs()) ? undefined : election.leading?.machine,
  );
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

  const poll = (): void => {
    timeline.after(POLL_MS, poll);
    if (hasElection) {
      if (elect(world, hosts, election, random)) start(election.leading as MasterHost);
      views.notifyAll();
      return;
    }
    const [only] = hosts as [MasterHost];
    if (only.process === undefined && timeline.nowMs() >= Math.max(only.upAtMs, only.machine.pausedUntilMs))
      start(only);
  };
  timeline.after(0, poll);

  return {
    machines: hosts.map(({ machine }) => machine),
    store,
    views,
    leader: () => (hasElection ? election.leading?.process : hosts[0]?.process),
    running: () => hosts.flatMap(({ process }) => (process === undefined ? [] : [process])),
    faultTarget: (index) => {
      const leaderIndex = election.leading === undefined ? -1 : hosts.indexOf(election.leading);
      return hosts[index]?.process === undefined && leaderIndex >= 0 ? leaderIndex : index;
    },
    queryLeader(watcher) {
      views.forget(watcher);
      if (!hasElection) watcher.leaderChanged(hosts[0]?.machine);
      else views.notify(watcher);
    },
    crash(index, how, downMs) {
      const host = hosts[index % count];
      if (host === undefined) return;
      host.process?.stop(how);
      host.process = undefined;
      host.upAtMs = timeline.nowMs() + downMs;
    },
    expireSession: (hearsAfterMs) => expireSession(election, timeline.nowMs() + hearsAfterMs),
    delayLoss(master, untilMs) {
      const host = hosts.find(({ process }) => process === master);
      if (host !== undefined) host.hearsAtMs = untilMs;
    },
    beginOutage(ms) {
      if (hasElection) setOutage(election, store, timeline.nowMs(), timeline.nowMs() + ms);
      return hasElection;
    },
    endOutage: () => setOutage(election, store, 0, 0),
  };
}

function setOutage(election: Election, store: RegistryStore, fromMs: number, untilMs: number): void {
  if (fromMs >= election.outageUntilMs) election.outageFromMs = fromMs;
  election.outageUntilMs = untilMs === 0 ? 0 : Math.max(election.outageUntilMs, untilMs);
  store.answersFromMs = election.outageUntilMs;
}
