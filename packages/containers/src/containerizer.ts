// The containerizer: what an agent uses to run containers. It carries out the effects of the lifecycle with files, isolators
// and a launcher.
//
// Owns: the sandboxes and volumes on disk, the records of containers, their plans until they are started.
// Boundary: it uses the machine through ports only. Every event is reported by `onEvent`, never during a call.
import {
  type Clock,
  type ConnectLines,
  type ContainerId,
  err,
  type Files,
  type Outbound,
  ok,
  type Processes,
  type Random,
  type Result,
  type Timing,
} from '@meseta/base';
import type { Image } from '@meseta/wire';
import { type CreatedBackends, createBackends } from './backends.js';
import type { BackendName, Backends } from './composing.js';
import { createConcurrencyLimit } from './concurrency.js';
import { createFetcher, type Fetcher, type FetcherMetrics, type FetcherOptions } from './fetcher/fetcher.js';
import type { GpuOptions } from './gpus/gpus.js';
import type { ImageOptions, Images } from './images/images.js';
import type { Usage } from './isolators/isolator.js';
import type { IsolationOptions } from './isolators/select.js';
import type { LauncherOptions } from './launchers/choose.js';
import type { DockerOptions } from './launchers/docker/backend.js';
import type { LauncherEvent } from './launchers/launcher.js';
import {
  type ContainerRecord,
  type LifecycleEffect,
  type LifecycleInput,
  type LifecycleState,
  stepLifecycle,
} from './lifecycle.js';
import type { PendingOperation } from './pending.js';
import type { AnyPlan } from './plan/any-plan.js';
import { createRecords, type Records } from './records.js';
import type { Preparation } from './sandbox/prepare.js';
import { createRemovals, type Removals, removeSandbox } from './sandbox/removal.js';
import { changeVolume } from './sandbox/volumes.js';
import type { SeccompOptions } from './seccomp/profiles.js';
import { type RotationLimits, startRotation } from './streams/rotation.js';
import type { SupervisorOptions } from './supervisor/client.js';
import type { ContainerInput, InputResult } from './supervisor/protocol.js';
import type {
  Capabilities,
  ContainerEvent,
  ContainerResources,
  ContainerSpec,
  Probe,
  ProbeResult,
  RecoveredContainer,
  VolumeChange,
} from './types.js';

/** Calls return at once; events report what happened. Each container ends in one `launchFailed` or `exited`. */
export interface Containerizer {
  /** What tasks may ask of this agent. */
  readonly capabilities: Capabilities;
  /** What tasks with a container of type DOCKER may ask, if the agent has a Docker containerizer. */
  readonly dockerCapabilities: Capabilities | undefined;
  /** The isolators of `--isolation` that this machine can't provide, with the reasons. */
  readonly warnings: readonly string[];
  /** Makes the sandbox and its volumes, fetches, and starts the command. */
  launch(spec: ContainerSpec): void;
  /** The container's resources have changed, or the agent was restarted. */
  update(containerId: ContainerId, resources: ContainerResources): void;
  /** Resolves when a session, or a container with a terminal, has taken the input. The next one must be sent then. */
  send(containerId: ContainerId, input: ContainerInput): Promise<InputResult>;
  /** Sends a signal to every process of the container, in all its sessions and process groups. */
  signal(containerId: ContainerId, signal: number): void;
  /** Kills every process; `exited` follows. The fetch of a container that has not started is aborted. */
  destroy(containerId: ContainerId): void;
  probe(containerId: ContainerId, probe: Probe, timeoutMs: number): Promise<ProbeResult>;
  /** What the container, or those that share its cgroup, use, as isolators measure it. undefined: none of them runs. */
  usage(containerId: ContainerId): Promise<Usage | undefined>;
  /** Forgets an ended container and removes its runtime files, but not its sandbox. */
  remove(containerId: ContainerId): void;
  /** Finds the containers of an earlier agent process. `relocate` turns the path of a sandbox into its present one. */
  recover(relocate?: (sandbox: string) => string): Promise<readonly RecoveredContainer[]>;
  /** Removes the sandbox of an ended container. Returns why that failed. */
  removeSandbox(path: string): Promise<string | undefined>;
  /** Makes or removes the directory of a persistent volume. Returns why that failed. */
  changeVolume(change: VolumeChange): Promise<string | undefined>;
  /** Removes the images that no container uses. Returns why that failed. */
  pruneImages(excluded: readonly Image[]): Promise<string | undefined>;
  /** What isolators are waiting for, the oldest first. */
  pendingOperations(): readonly PendingOperation[];
  /** The durations of pulls of images, for `containerizer/mesos/provisioner/docker_store/image_pull_ms` and those of Docker. */
  readonly imagePulls: { readonly mesos: Timing['values']; readonly docker: Timing['values'] };
  /** For the metrics `containerizer/fetcher/*`. */
  fetcherMetrics(): FetcherMetrics;
  close(): Promise<void>;
}

export interface ContainerizerOptions {
  /** Absolute. It outlives the agent's process and is best in memory (below /run). */
  readonly runtimeDir: string;
  /** Absolute. Sandboxes lie below it. */
  readonly workDir: string;
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
  readonly connectLines: ConnectLines;
  /** Starts a supervisor for the directory that is added to the arguments. */
  readonly supervisor: SupervisorOptions['command'];
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly fetcher: FetcherOptions;
  readonly isolation: Omit<IsolationOptions, 'launcher' | 'images' | 'seccomp' | 'gpus'>;
  readonly launcher: LauncherOptions;
  /** undefined: no image provider. */
  readonly images: ImageOptions | undefined;
  /** undefined: `--isolation` does not name gpu/nvidia. */
  readonly gpus: GpuOptions | undefined;
  /** undefined: `--isolation` does not name linux/seccomp. */
  readonly seccomp: SeccompOptions | undefined;
  readonly random: Random;
  /** For the log. */
  readonly warn: (message: string) => void;
  /** `--containerizers`; only Mesos' if undefined. */
  readonly containerizers?: readonly BackendName[] | undefined;
  /** For the containers of type DOCKER; undefined if `containerizers` has no docker. */
  readonly docker?: DockerOptions | undefined;
  /** undefined: the output of containers is not limited. */
  readonly rotation: RotationLimits | undefined;
  readonly onEvent: (event: ContainerEvent) => void;
}

/** Removals of sandboxes hold descriptors. */
const MAX_REMOVALS = 8;

interface Parts {
  readonly state: LifecycleState;
  readonly files: Files;
  readonly records: Records;
  readonly backends: Backends;
  readonly images: Images | undefined;
  readonly makeStreams: Preparation['makeStreams'];
  readonly fetcher: Fetcher;
  /** Aborts the running preparations and fetches. */
  readonly aborts: Map<ContainerId, AbortController>;
  readonly onEvent: (event: ContainerEvent) => void;
  readonly onRecovered: (containers: readonly RecoveredContainer[]) => void;
  push(input: LifecycleInput): void;
}

/** Calls `step` with one input after another, each in a microtask, and carries out its effects. */
function createQueue(
  state: LifecycleState,
  perform: (effect: LifecycleEffect) => void,
  isClosed: () => boolean,
): (input: LifecycleInput) => void {
  let inputs: LifecycleInput[] = [];
  const drain = (): void => {
    const batch = inputs;
    inputs = [];
    for (const input of batch) {
      for (const effect of stepLifecycle(state, input)) if (!isClosed()) perform(effect);
    }
  };
  return (input) => {
    if (inputs.length === 0) queueMicrotask(drain);
    inputs.push(input);
  };
}

function performEffect(parts: Parts, effect: LifecycleEffect): void {
  const { backends } = parts;
  switch (effect.kind) {
    case 'prepare':
      void prepare(parts, effect);
      return;
    case 'fetch':
      void fetch(parts, effect.spec, effect.plan);
      return;
    case 'abort':
      parts.aborts.get(effect.containerId)?.abort();
      return;
    case 'start':
      backends.launch(effect.containerId, effect.plan);
      return;
    case 'watch': {
      const { containerId } = effect.record;
      backends.watch(effect.record, (limitation) => parts.push({ kind: 'limited', containerId, limitation }));
      return;
    }
    case 'update':
      backends.update(effect.record);
      return;
    case 'signal':
      backends.signal(effect.containerId, effect.signal);
      return;
    case 'destroy':
      void destroy(parts, effect);
      return;
    case 'cleanUp':
      void cleanUp(parts, effect.containerId);
      return;
    case 'remove':
      backends.remove(effect.containerId);
      void parts.records.remove(effect.containerId);
      return;
    case 'report':
      parts.onEvent(effect.event.kind === 'started' ? withNetworks(backends, effect.event) : effect.event);
      return;
    case 'recovered':
      parts.onRecovered(effect.containers.map((it) => (it.state === 'running' ? withNetworks(backends, it) : it)));
      return;
  }
}

/** Adds the networks of a container with a network namespace of its own, which only isolators know. */
function withNetworks<T extends { readonly containerId: ContainerId }>(backends: Backends, container: T): T {
  const networks = backends.networksOf(container.containerId);
  return networks === undefined ? container : { ...container, networks };
}

async function prepare(
  { records, backends, aborts, push }: Parts,
  { record, spec }: Extract<LifecycleEffect, { kind: 'prepare' }>,
): Promise<void> {
  const { containerId } = record;
  const abort = new AbortController();
  aborts.set(containerId, abort);
  const written = await records.write(record);
  const prepared = written.ok
    ? await backends.prepare(spec, abort.signal)
    : err(`runtime directory: ${written.error.message}`);
  aborts.delete(containerId);
  if (prepared.ok) push({ kind: 'prepared', containerId, plan: prepared.value });
  else push({ kind: 'stepFailed', containerId, stage: 'launch', message: prepared.error });
}

async function fetch(parts: Parts, spec: ContainerSpec, plan: AnyPlan): Promise<void> {
  const { containerId, sandbox, uris } = spec;
  const abort = new AbortController();
  parts.aborts.set(containerId, abort);
  const fetched = await parts.fetcher.fetch(uris, sandbox, plan.owner, abort.signal);
  parts.aborts.delete(containerId);
  // An archive may contain files of these names.
  const ready = fetched.ok && plan.owner !== undefined ? await parts.makeStreams(sandbox, plan.owner) : fetched;
  if (ready.ok) return parts.push({ kind: 'fetched', containerId, plan });
  await parts.makeStreams(sandbox, plan.owner);
  parts.push({ kind: 'stepFailed', containerId, stage: fetched.ok ? 'launch' : 'fetch', message: ready.error });
}

async function destroy(
  { records, backends }: Parts,
  { containerId, record }: Extract<LifecycleEffect, { kind: 'destroy' }>,
): Promise<void> {
  // LIFECYCLE-2. Where it can't be written, the container is destroyed all the same.
  if (record?.limitation !== undefined) await records.addLimitation(containerId, record.limitation);
  backends.destroy(containerId);
}

async function cleanUp({ backends, push }: Parts, containerId: ContainerId): Promise<void> {
  await backends.cleanUp(containerId);
  push({ kind: 'cleanedUp', containerId });
}

/** The containerizer on this machine, or what the machine lacks. It connects to a supervisor, which it starts if none runs. */
export async function createContainerizer(options: ContainerizerOptions): Promise<Result<Containerizer, string>> {
  const { files, clock } = options;
  const recordsDir = `${options.runtimeDir}/records`;
  const made = await files.makeDirectory(recordsDir, 0o700);
  if (!made.ok) return err(`runtime directory: ${made.error.message}`);
  const removals = createRemovals();
  const onEvent = (event: LauncherEvent): void => {
    const record = event.kind === 'exited' ? state.get(event.containerId)?.record : undefined;
    const limitation = record && backends.findLimitation(record);
    if (limitation !== undefined) push({ kind: 'limited', containerId: event.containerId, limitation });
    push({ kind: 'launcher', event });
  };
  const created = await createBackends(options, removals, onEvent);
  if (!created.ok) return created;
  const { backends, images, host, makeStreams, ...facts } = created.value;

  let isClosed = false;
  let onRecovered = (_containers: readonly RecoveredContainer[]): void => {};
  const state: LifecycleState = new Map();
  const push = createQueue(
    state,
    (effect) => performEffect(parts, effect),
    () => isClosed,
  );
  const parts: Parts = {
    state,
    files,
    records: createRecords(files, recordsDir),
    backends,
    images,
    makeStreams,
    fetcher: createFetcher({ ...options, ...options.fetcher, setpriv: host.setpriv }),
    aborts: new Map(),
    onEvent: options.onEvent,
    onRecovered: (containers) => onRecovered(containers),
    push,
  };
  const sandboxes = (): readonly string[] =>
    [...state.values()].flatMap(({ phase, record }) => (phase === 'running' ? [record.sandbox] : []));
  const stopRotation =
    options.rotation === undefined ? () => {} : startRotation(files, clock, options.rotation, sandboxes);
  return ok({
    ...facts,
    ...createCalls(options, parts, removals),
    async recover(relocate = (sandbox) => sandbox) {
      const records = (await parts.records.readAll()).map((it) => ({ ...it, sandbox: relocate(it.sandbox) }));
      const launched = await backends.recover();
      const recovered = new Promise<readonly RecoveredContainer[]>((resolve) => {
        onRecovered = resolve;
      });
      const running = new Set(launched.flatMap((it) => (it.state === 'running' ? [it.containerId] : [])));
      const ended = await findLimitations(parts.records, backends, records, launched);
      await backends.removeLeftovers(records.filter(({ containerId }) => running.has(containerId)));
      push({ kind: 'recover', records: ended, launched });
      return recovered;
    },
    async close() {
      isClosed = true;
      stopRotation();
      images?.close();
      for (const controller of parts.aborts.values()) controller.abort();
      await backends.close();
    },
  });
}

/** Adds the limits that containers have exceeded which ended while no agent ran. */
async function findLimitations(
  { addLimitation }: Records,
  { findLimitation }: Backends,
  records: readonly ContainerRecord[],
  launched: readonly RecoveredContainer[],
): Promise<readonly ContainerRecord[]> {
  const ended = new Set(launched.flatMap(({ containerId, state }) => (state === 'ended' ? [containerId] : [])));
  return Promise.all(
    records.map(async (record) => {
      const { containerId } = record;
      if (!ended.has(containerId) || record.limitation !== undefined) return record;
      const limitation = findLimitation(record);
      if (limitation === undefined) return record;
      await addLimitation(containerId, limitation);
      return { ...record, limitation };
    }),
  );
}

function createCalls(
  options: ContainerizerOptions,
  parts: Parts,
  removals: Removals,
): Omit<Containerizer, keyof CreatedBackends | 'recover' | 'close'> {
  const { files, state, backends, push } = parts;
  const removalPorts = { files, workDir: options.workDir, limitRemovals: createConcurrencyLimit(MAX_REMOVALS) };
  return {
    launch: (spec) => push({ kind: 'launch', spec }),
    update: (containerId, { resources, limits }) => push({ kind: 'update', containerId, resources, limits }),
    send: backends.send,
    signal: (containerId, signal) => push({ kind: 'signal', containerId, signal }),
    destroy: (containerId) => push({ kind: 'destroy', containerId }),
    remove: (containerId) => push({ kind: 'remove', containerId }),
    async probe(containerId, probe, timeoutMs) {
      const container = state.get(containerId);
      if (container?.phase !== 'running') return { kind: 'failed', message: 'the container is not running' };
      return backends.probe(container.record, probe, timeoutMs);
    },
    usage: (containerId) => backends.usage(containerId, state.get(containerId)?.phase === 'running'),
    async removeSandbox(path) {
      const removal = removeSandbox(removalPorts, path);
      removals.add(path, removal);
      const removed = await removal;
      return removed.ok ? undefined : removed.error.message;
    },
    changeVolume: (change) => changeVolume(files, change),
    pruneImages: async (excluded) => parts.images?.prune(excluded),
    fetcherMetrics: () => parts.fetcher.metrics(),
  };
}
