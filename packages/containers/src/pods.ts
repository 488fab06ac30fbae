// The containers of pods. The executor of a pod is no process on this agent, but what its ContainerInfo asks for exists once for
// all tasks of the pod: networks, volumes, and the namespaces that tasks share with it. A pod that needs any of that has a
// container, whose only process waits and collects orphans.
//
// Owns: the pods of the containers here, the containers of pods, and the records of those in `pods` below the runtime directory.
// Boundary: the lifecycle knows the containers of tasks only. The launcher's events of the containers of pods end here.
// POD-CONTAINERS-1: a task that shares something with its pod is started after the pod's container, which ends with the last
//   task of the pod.
// POD-CONTAINERS-2: a record is on disk before anything is made for the container of a pod. The next agent ends the containers
//   of pods whose tasks have ended.
import { type ContainerId, err, ok, type Result } from '@meseta/base';
import type { ContainerInfo } from '@meseta/wire';
import type { Isolator, PlanPatch, Preparing } from './isolators/isolator.js';
import type { Launcher, LauncherEvent } from './launchers/launcher.js';
import { type ContainerRecord, recordOf } from './lifecycle.js';
import { mergeLinuxPlans } from './plan/linux-plan.js';
import type { LaunchPlan } from './plan/plan.js';
import type { Records } from './records.js';
import type { Preparation } from './sandbox/prepare.js';
import type { ContainerSpec, OuterContainer, RecoveredContainer } from './types.js';

export interface PodPorts {
  readonly launcher: Pick<Launcher, 'launch' | 'destroy' | 'remove'>;
  /** With the isolators that have a part in the containers of pods. */
  readonly prepare: Preparation['prepare'];
  readonly isolators: readonly Isolator[];
  readonly records: Records;
}

export interface PodContainers {
  /** Adds each container of a pod's task to its pod. */
  readonly isolator: Isolator;
  /** Whether the event is of the container of a pod. */
  handle(event: LauncherEvent): boolean;
  /** Takes the containers of pods from those that the launcher has recovered. */
  claim(launched: readonly RecoveredContainer[]): Promise<readonly RecoveredContainer[]>;
  /** Adds the running containers of tasks to their pods. Returns the containers of these pods. */
  addRecovered(alive: readonly ContainerRecord[]): readonly ContainerRecord[];
  /** POD-CONTAINERS-2. */
  removeLeftovers(): Promise<void>;
}

interface Pod {
  readonly record: ContainerRecord | undefined;
  /** The containers of its tasks. */
  readonly members: Set<ContainerId>;
  /** none: it has no container. */
  state: 'none' | 'starting' | 'running' | 'ended';
  /** Why its container was not started. */
  failure: string;
  /** Called at the next event of its container. */
  wake: () => void;
  /** The last change of it. */
  last: Promise<unknown>;
}

const newPod = (record: ContainerRecord | undefined, state: Pod['state']): Pod => ({
  record,
  members: new Set(),
  state,
  failure: '',
  wake: () => {},
  last: Promise.resolve(),
});

/** What all tasks of the pod have in common. */
const hasCommonParts = ({ volumes = [], network_infos = [] }: ContainerInfo): boolean =>
  volumes.length > 0 || network_infos.some(({ name }) => name !== undefined);

/** Whether a task needs the container of its pod. */
function needsPod(
  { container }: ContainerSpec,
  pod: ContainerInfo | undefined,
  isolators: readonly Isolator[],
): boolean {
  if (pod !== undefined && hasCommonParts(pod)) return true;
  const isolates = (name: string): boolean => isolators.some((it) => it.name === name);
  const { share_pid_namespace: sharesPid, ipc_mode: ipcMode } = container?.linux_info ?? {};
  return (
    (sharesPid === true && pod?.linux_info?.share_pid_namespace !== true && isolates('namespaces/pid')) ||
    (ipcMode === 'SHARE_PARENT' && pod?.linux_info?.ipc_mode !== 'SHARE_PARENT' && isolates('namespaces/ipc'))
  );
}

/** The container of the pod of a task. */
const podSpec = ({ user }: ContainerSpec, { containerId, sandbox, volumes, pod }: OuterContainer): ContainerSpec => ({
  containerId,
  sandbox,
  user,
  command: { value: '/', shell: false },
  environment: {},
  uris: [],
  rlimits: undefined,
  resources: pod?.resources ?? [],
  container: pod?.container,
  volumes,
  isPod: true,
});

const pauseOf = (plan: LaunchPlan): LaunchPlan => ({
  ...plan,
  owner: undefined,
  linux: mergeLinuxPlans(plan.linux, { namespaces: ['mount', 'pid'] }),
  isPause: true,
});

interface Context extends PodPorts {
  readonly pods: Map<ContainerId, Pod>;
  /** By the containers of tasks. */
  readonly podOf: Map<ContainerId, ContainerId>;
}

function add({ pods, podOf }: Context, member: ContainerId, id: ContainerId): Pod {
  const pod = pods.get(id) ?? newPod(undefined, 'none');
  pods.set(id, pod);
  pod.members.add(member);
  podOf.set(member, id);
  return pod;
}

function inTurn<T>(pod: Pod, change: () => Promise<T>): Promise<T> {
  const changed = pod.last.then(change);
  pod.last = changed.catch(() => undefined);
  return changed;
}

const nextEvent = (pod: Pod): Promise<void> =>
  new Promise((resolve) => {
    pod.wake = resolve;
  });

async function launch(
  { records, prepare, launcher }: Context,
  pod: Pod,
  spec: ContainerSpec,
  signal: Preparing['signal'],
): Promise<Result<void, string>> {
  const { containerId } = spec;
  // POD-CONTAINERS-2.
  const written = await records.write(recordOf(spec));
  if (!written.ok) return err(`runtime directory: ${written.error.message}`);
  const plan = await prepare(spec, signal);
  if (!plan.ok) return plan;
  pod.state = 'starting';
  const answered = nextEvent(pod);
  launcher.launch(containerId, pauseOf(plan.value));
  await answered;
  return stateOf(pod) === 'none' ? err(pod.failure) : ok(undefined);
}

/** Ends its container, if it has one, and removes what isolators made for it. */
async function end({ launcher, isolators, records }: Context, id: ContainerId, pod: Pod): Promise<void> {
  if (pod.state === 'running') {
    const answered = nextEvent(pod);
    launcher.destroy(id);
    await answered;
  }
  for (const isolator of isolators) await isolator.cleanUp?.(id);
  launcher.remove(id);
  await records.remove(id);
  pod.state = 'none';
}

/** POD-CONTAINERS-1. */
async function join(
  context: Context,
  spec: ContainerSpec,
  outer: OuterContainer,
  signal: Preparing['signal'],
): Promise<Result<PlanPatch, string>> {
  const id = outer.containerId;
  const pod = add(context, spec.containerId, id);
  return inTurn(pod, async () => {
    const isNeeded = needsPod(spec, outer.pod?.container, context.isolators);
    if (pod.state === 'ended' && isNeeded) return err('the container of the pod has ended');
    if (pod.state === 'none' && isNeeded) {
      const launched = await launch(context, pod, podSpec(spec, outer), signal);
      if (!launched.ok) {
        await end(context, id, pod);
        return err(`the container of the pod: ${launched.error}`);
      }
    }
    return ok(pod.state === 'running' ? { parent: id } : {});
  });
}

async function leave(context: Context, member: ContainerId): Promise<void> {
  const { pods, podOf } = context;
  const id = podOf.get(member);
  const pod = id === undefined ? undefined : pods.get(id);
  podOf.delete(member);
  if (id === undefined || pod === undefined) return;
  pod.members.delete(member);
  await inTurn(pod, () => endUnused(context, id, pod));
}

async function endUnused(context: Context, id: ContainerId, pod: Pod): Promise<void> {
  if (pod.members.size > 0) return;
  if (pod.state !== 'none') await end(context, id, pod);
  // Another task may have come meanwhile.
  if (pod.members.size === 0) context.pods.delete(id);
}

export function createPodContainers(ports: PodPorts): PodContainers {
  const pods = new Map<ContainerId, Pod>();
  const context: Context = { ...ports, pods, podOf: new Map() };
  return {
    isolator: {
      name: 'pods',
      supports: () => ok(undefined),
      prepare: async (spec, { signal }) =>
        spec.outer?.pod === undefined ? ok({}) : join(context, spec, spec.outer, signal),
      cleanUp: (containerId) => leave(context, containerId),
    },
    handle(event) {
      const pod = pods.get(event.containerId);
      if (pod === undefined) return false;
      pod.state = event.kind === 'started' ? 'running' : event.kind === 'exited' ? 'ended' : 'none';
      if (event.kind === 'launchFailed') pod.failure = event.message;
      pod.wake();
      return true;
    },
    async claim(launched) {
      const found = new Map(launched.map((it) => [it.containerId, it]));
      for (const record of await ports.records.readAll()) {
        const { containerId } = record;
        pods.set(containerId, newPod(record, found.get(containerId)?.state === 'running' ? 'running' : 'ended'));
      }
      return launched.filter(({ containerId }) => !pods.has(containerId));
    },
    addRecovered(alive) {
      for (const { containerId, pod } of alive) if (pod !== undefined) add(context, containerId, pod);
      return [...pods.values()].flatMap(({ record, members }) =>
        record === undefined || members.size === 0 ? [] : [record],
      );
    },
    async removeLeftovers() {
      for (const [id, pod] of [...pods]) await inTurn(pod, () => endUnused(context, id, pod));
    },
  };
}

/** It changes while a change waits. */
const stateOf = ({ state }: Pod): Pod['state'] => state;
