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
  /** Whether its process runs; else it is not notified. */
  listening(): boolean;
  changed(leader: Machine | undefined): void;
}

export interface Masters {
  readonly machines: readonly Machine[];
  readonly store: RegistryStore;
  readonly elected: boolean;
  /** The process of the elected master. */
  leader(): MasterProcess | undefined;
  running(): readonly MasterProcess[];
  /** The index itself if its process runs, else that of the leader: a fault of a standby has no consequence. */
  struck(index: number): number;
  watch(watcher: Watcher): void;
  /** A watcher's process starts and asks for the leader. */
  look(watcher: Watcher): void;
  crash(index: number, how: 'reset' | 'silent', downMs: number): void;
}

const POLL_MS = 1_000;
const SESSION_MS = 10_000;
const RESTART_MS = 2_000;

interface Place {
  readonly machine: Machine;
  process: MasterProcess | undefined;
  /** Until then its process is down. */
  upAtMs: number;
}

interface Election {
  leading: Place | undefined;
  renewedAtMs: number;
}

const isHealthy = ({ timeline, network }: World, { machine, upAtMs }: Place): boolean =>
  timeline.nowMs() >= Math.max(upAtMs, machine.pausedUntilMs) &&
  !network.isCut(machine.address, ELECTION) &&
  !network.isCut(ELECTION, machine.address);

/** One poll of the election service. Returns true if a new leader has to be started. */
function elect(world: World, places: readonly Place[], election: Election, random: Random): boolean {
  const nowMs = world.timeline.nowMs();
  const { leading } = election;
  if (leading?.process !== undefined && isHealthy(world, leading)) election.renewedAtMs = nowMs;
  if (leading !== undefined && nowMs - election.renewedAtMs > SESSION_MS) election.leading = undefined;
  for (const place of places) {
    // A master that loses the leadership ends at once.
    if (place === election.leading || place.process === undefined || !isHealthy(world, place)) continue;
    world.journal.record(place.machine.name, 'lost the leadership');
    place.process.stop('reset');
    place.process = undefined;
    place.upAtMs = nowMs + RESTART_MS;
  }
  if (election.leading !== undefined) return false;
  const candidates = places.filter((place) => isHealthy(world, place));
  election.leading = candidates.length === 0 ? undefined : pick(random, candidates);
  election.renewedAtMs = nowMs;
  return election.leading !== undefined;
}

export function createMasters(
  world: World,
  count: number,
  options: MasterOptions,
  rates: readonly number[],
  makeAllocator = createAllocator,
): Masters {
  const { timeline, network } = world;
  const elected = count > 1;
  const random = world.random('election');
  const store = createRegistryStore(timeline, world.random('registry'), (operations) => {
    for (const observer of world.observers) observer.registryWritten?.(operations);
  });
  const places: Place[] = Array.from({ length: count }, (_, i) => ({
    machine: createMachine(`master-${i}`, `10.0.1.${i + 1}:5050`, rates[i] ?? 1),
    process: undefined,
    upAtMs: 0,
  }));
  const views = new Map<Watcher, Machine | undefined>();
  const election: Election = { leading: undefined, renewedAtMs: 0 };
  let incarnations = 0;

  const start = (place: Place): void => {
    place.process = startMasterProcess({
      world,
      name: place.machine.name,
      machine: place.machine,
      options,
      store,
      incarnation: incarnations++,
      makeAllocator,
      onExit() {
        place.process = undefined;
        place.upAtMs = timeline.nowMs() + RESTART_MS;
      },
    });
    world.journal.record(place.machine.name, 'leads');
  };

  const tell = (watcher: Watcher): void => {
    if (!watcher.listening() || network.isCut(watcher.address, ELECTION)) return;
    const leader = election.leading?.machine;
    if (views.get(watcher) === leader || !happens(random, 0.6)) return;
    views.set(watcher, leader);
    watcher.changed(leader);
  };

  const poll = (): void => {
    timeline.after(POLL_MS, poll);
    if (elected) {
      if (elect(world, places, election, random)) start(election.leading as Place);
      for (const watcher of views.keys()) tell(watcher);
      return;
    }
    const [only] = places as [Place];
    if (only.process === undefined && timeline.nowMs() >= Math.max(only.upAtMs, only.machine.pausedUntilMs))
      start(only);
  };
  timeline.after(0, poll);

  return {
    machines: places.map(({ machine }) => machine),
    store,
    elected,
    leader: () => (elected ? election.leading?.process : places[0]?.process),
    running: () => places.flatMap(({ process }) => (process === undefined ? [] : [process])),
    struck: (index) => {
      const leads = election.leading === undefined ? -1 : places.indexOf(election.leading);
      return places[index]?.process === undefined && leads >= 0 ? leads : index;
    },
    watch: (watcher) => void views.set(watcher, undefined),
    look(watcher) {
      views.set(watcher, undefined);
      if (!elected) watcher.changed(places[0]?.machine);
      else tell(watcher);
    },
    crash(index, how, downMs) {
      const place = places[index % count];
      if (place === undefined) return;
      place.process?.stop(how);
      place.process = undefined;
      place.upAtMs = timeline.nowMs() + downMs;
    },
  };
}
