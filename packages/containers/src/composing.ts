// Composing: an agent may have several containerizers (`--containerizers`), and each container has one of them: those of
// type DOCKER are the Docker engine's, all others Mesos'. The lifecycle is the same for both.
//
// COMPOSING-1: a container stays with the containerizer that launched or recovered it.
import type { AbortSignalLike, ContainerId, Files, Owner, Result } from '@meseta/base';
import type { NetworkInfo } from '@meseta/wire';
import type { Usage } from './isolators/isolator.js';
import type { LauncherEvent } from './launchers/launcher.js';
import type { ContainerRecord } from './lifecycle.js';
import type { AnyPlan } from './plan/any-plan.js';
import type { LaunchOwner } from './plan/plan.js';
import type { Removals } from './sandbox/removal.js';
import type { ContainerInput, InputResult } from './supervisor/protocol.js';
import type { ContainerSpec, Limitation, Probe, ProbeResult, RecoveredContainer } from './types.js';

export type BackendName = 'mesos' | 'docker';

/** One containerizer of `--containerizers`: how its containers are prepared, run, measured and ended. */
export interface Backend {
  readonly name: BackendName;
  /** Makes the sandbox and what else the container needs, and its plan. */
  prepare(spec: ContainerSpec, signal: AbortSignalLike): Promise<Result<AnyPlan, string>>;
  /** The calls of a launcher (launcher.ts). */
  launch(containerId: ContainerId, plan: AnyPlan): void;
  send(containerId: ContainerId, input: ContainerInput): Promise<InputResult>;
  signal(containerId: ContainerId, signal: number): void;
  destroy(containerId: ContainerId): void;
  remove(containerId: ContainerId): void;
  /** The calls of isolators (isolator.ts). */
  watch(record: ContainerRecord, onLimitation: (limitation: Limitation) => void): void;
  update(record: ContainerRecord): void;
  /** `isRunning` false: what the containers use together that share the cgroup of one that is no process, as of a pod's executor. */
  usage(containerId: ContainerId, isRunning: boolean): Promise<Usage | undefined>;
  cleanUp(containerId: ContainerId): Promise<void>;
  /** The networks of a container with a network namespace of its own; undefined for others, and if the launcher reports them. */
  networksOf(containerId: ContainerId): readonly NetworkInfo[] | undefined;
  probe(record: ContainerRecord, probe: Probe, timeoutMs: number): Promise<ProbeResult>;
  findLimitation(record: ContainerRecord): Limitation | undefined;
  recover(): Promise<readonly RecoveredContainer[]>;
  /** Called once after `recover`: removes what other containers than these, which run, have left. */
  removeLeftovers(alive: readonly ContainerRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** What all backends of an agent are given. */
export interface BackendPorts {
  readonly runtimeDir: string;
  readonly files: Files;
  readonly clock: { setTimer(delayMs: number, callback: () => void): () => void };
  readonly removals: Pick<Removals, 'endedAround'>;
  readonly resolveOwner: (user: string | undefined) => Promise<Result<LaunchOwner | undefined, string>>;
  /** Makes the files of a container's output, if they are missing. */
  readonly makeStreams: (sandbox: string, owner: Owner | undefined) => Promise<Result<void, string>>;
  readonly onEvent: (event: LauncherEvent) => void;
  /** Called when an image is provided or can't be. */
  readonly onPulled: (durationMs: number) => void;
}

/** Several backends as one. */
export type Backends = Omit<Backend, 'name'>;

/** In the order of `--containerizers`; `named` are those of the flag, the others only run what an earlier agent launched. */
export function composeBackends(all: readonly [Backend, ...Backend[]], named: readonly BackendName[]): Backends {
  const ofContainer = new Map<ContainerId, Backend>();
  const [first] = all;
  const candidates = all.filter(({ name }) => named.includes(name));

  /** Where none fits, the refusal is that of the first. */
  function choose({ container }: ContainerSpec): Backend {
    const wanted = container?.type === 'DOCKER' ? 'docker' : 'mesos';
    return candidates.find(({ name }) => name === wanted) ?? candidates[0] ?? first;
  }

  const of = (containerId: ContainerId): Backend => ofContainer.get(containerId) ?? first;
  return {
    prepare(spec, signal) {
      const backend = choose(spec);
      ofContainer.set(spec.containerId, backend);
      return backend.prepare(spec, signal);
    },
    launch: (containerId, plan) => of(containerId).launch(containerId, plan),
    send: (containerId, input) => of(containerId).send(containerId, input),
    signal: (containerId, signal) => of(containerId).signal(containerId, signal),
    destroy: (containerId) => of(containerId).destroy(containerId),
    remove(containerId) {
      of(containerId).remove(containerId);
      ofContainer.delete(containerId);
    },
    watch: (record, onLimitation) => of(record.containerId).watch(record, onLimitation),
    update: (record) => of(record.containerId).update(record),
    usage: (containerId, isRunning) => of(containerId).usage(containerId, isRunning),
    async cleanUp(containerId) {
      // A container that was never started may have been prepared by any of them before a crash.
      const known = ofContainer.get(containerId);
      for (const backend of known === undefined ? all : [known]) await backend.cleanUp(containerId);
    },
    networksOf: (containerId) => of(containerId).networksOf(containerId),
    probe: (record, probe, timeoutMs) => of(record.containerId).probe(record, probe, timeoutMs),
    findLimitation: (record) => of(record.containerId).findLimitation(record),
    async recover() {
      const recovered: RecoveredContainer[] = [];
      for (const backend of all) {
        for (const container of await backend.recover()) {
          ofContainer.set(container.containerId, backend);
          recovered.push(container);
        }
      }
      return recovered;
    },
    async removeLeftovers(alive) {
      for (const backend of all)
        await backend.removeLeftovers(alive.filter((record) => of(record.containerId) === backend));
    },
    async close() {
      for (const backend of all) await backend.close();
    },
  };
}
