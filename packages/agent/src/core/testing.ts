// The world of the agent's core in tests: a virtual clock, a disk whose writes are durable at once or on request, and the
// list of the messages that were sent. The state and the effects are checked after every input (`check-state.ts`).
import { assert, type ContainerId, type FrameworkId, type Pid, pidOf, present, seededRandom } from '@meseta/base';
import { defaultCapabilities } from '@meseta/containers/testing/capabilities';
import type { ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import type {
  FrameworkInfo,
  LibprocessMessage,
  LibprocessMessages,
  OfferOperation,
  StatusUpdate,
  TaskInfo,
  TaskStatus,
} from '@meseta/wire';
import type { AgentEffect, AgentInput, CheckpointRecord } from './io.js';
import { type AgentCore, createAgent } from './machine.js';
import type { AgentOptions } from './options.js';
import type { FrameworkRecord } from './state.js';
import { checkEffect, checkState } from './testing/check-state.js';

export const MASTER = pidOf('master', '10.0.0.1:5050');
export const OBSERVER = pidOf('slave-observer(1)', '10.0.0.1:5050');

export const optionsOf = (changes: Partial<AgentOptions> = {}): AgentOptions => ({
  pid: pidOf('slave(1)', '10.0.0.7:5051'),
  localIp: '10.0.0.7',
  info: {
    hostname: 'host7',
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 4096 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 8192 } },
    ],
    checkpoint: true,
    port: 5051,
  },
  version: '1.12.0',
  workDir: '/var/meseta',
  bootId: 'boot-1',
  recover: 'reconnect',
  reconfigurationPolicy: 'equal',
  switchUser: false,
  mayRunAs: () => true,
  httpCommandExecutor: false,
  executorEnvironment: {},
  sandboxDirectory: '/mnt/mesos/sandbox',
  registrationBackoffMs: 1000,
  executorShutdownGraceMs: 5000,
  executorRegistrationTimeoutMs: 60_000,
  executorReregistrationTimeoutMs: 2000,
  recoveryTimeoutMs: 900_000,
  maxCompletedExecutorsPerFramework: 150,
  gcDelayMs: 604_800_000,
  gcDiskHeadroom: 0.1,
  diskWatchIntervalMs: 60_000,
  oversubscription: undefined,
  capabilities: defaultCapabilities,
  ...changes,
});

export interface World {
  core: AgentCore;
  nowMs: number;
  readonly disk: Map<string, CheckpointRecord>;
  /** Everything that was sent, oldest first. */
  readonly sent: { readonly to: Pid; readonly message: LibprocessMessage }[];
  readonly effects: AgentEffect[];
  /** While false, writes stay unanswered until `flush`. */
  durable: boolean;
  unwritten: Extract<AgentEffect, { kind: 'checkpoint' }>[];
  input(input: AgentInput): readonly AgentEffect[];
  /** Answers the outstanding writes, or the oldest few of them. */
  flush(count?: number): void;
  /** Lets the time pass; deadlines on the way are answered with ticks. */
  pass(ms: number): void;
  /** kill -9 and a new process: the disk stays. */
  restart(containers?: readonly RecoveredContainer[], changes?: Partial<AgentOptions>): void;
  message(message: LibprocessMessage, from?: Pid): readonly AgentEffect[];
}

export function createWorld(changes: Partial<AgentOptions> = {}, seed = 1): World {
  const write = (effect: Extract<AgentEffect, { kind: 'checkpoint' }>): void => {
    for (const { key, record } of effect.changes) {
      if (record === undefined) world.disk.delete(key);
      else world.disk.set(key, record);
    }
  };
  const world: World = {
    core: createAgent(optionsOf(changes), seededRandom(seed)),
    nowMs: 1_000_000,
    disk: new Map(),
    sent: [],
    effects: [],
    durable: true,
    unwritten: [],
    input(input) {
      const effects = world.core.step(input, { monoMs: world.nowMs, wallMs: 1.7e12 + world.nowMs });
      const all = [...effects];
      checkState(world.core.state);
      for (const effect of effects) {
        world.effects.push(effect);
        checkEffect(world.core.state, world.disk, effect);
        if (effect.kind === 'send') world.sent.push({ to: effect.to, message: effect.message });
        if (effect.kind === 'checkpoint') world.unwritten.push(effect);
      }
      if (!world.durable) return all;
      for (let next = world.unwritten.shift(); next !== undefined; next = world.unwritten.shift()) {
        write(next);
        all.push(...world.input({ kind: 'persisted' }));
      }
      return all;
    },
    flush(count = Number.POSITIVE_INFINITY) {
      for (let done = 0; done < count; done++) {
        const next = world.unwritten.shift();
        if (next === undefined) return;
        write(next);
        world.input({ kind: 'persisted' });
      }
    },
    pass(ms) {
      const until = world.nowMs + ms;
      for (let at = world.core.nextDeadline(); at !== undefined && at <= until; at = world.core.nextDeadline()) {
        world.nowMs = Math.max(world.nowMs, at);
        world.input({ kind: 'tick' });
      }
      world.nowMs = until;
    },
    restart(containers = [], later = {}) {
      world.unwritten = [];
      world.core = createAgent(optionsOf({ ...changes, ...later }), seededRandom(seed + world.nowMs));
      const checkpoint = [...world.disk].map(([key, record]) => ({ key, record }));
      world.input({ kind: 'start', checkpoint, containers });
    },
    message: (message, from = MASTER) => world.input({ kind: 'message', from, message }),
  };
  return world;
}

/** A world whose agent is registered as `m-S0`. */
export function registeredWorld(changes: Partial<AgentOptions> = {}, seed = 1): World {
  const world = createWorld(changes, seed);
  world.input({ kind: 'start', checkpoint: [], containers: [] });
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  return world;
}

/** After a restart: the master takes the agent back. */
export function rejoin(world: World): void {
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } });
}

export const frameworkOf = (changes: Partial<FrameworkInfo> = {}): FrameworkInfo => ({
  user: 'root',
  name: 'test',
  id: { value: 'f-1' },
  checkpoint: true,
  capabilities: [{ type: 'PARTITION_AWARE' }],
  ...changes,
});

export const taskOf = (id: string, changes: Partial<TaskInfo> = {}): TaskInfo => ({
  name: id,
  task_id: { value: id },
  agent_id: { value: 'm-S0' },
  resources: [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: '*' } },
    { name: 'mem', type: 'SCALAR', scalar: { value: 32 }, allocation_info: { role: '*' } },
  ],
  command: { value: 'sleep 60' },
  ...changes,
});

export function run(world: World, task: TaskInfo, framework: FrameworkInfo = frameworkOf()): ContainerId {
  const effects = world.message({ name: 'RunTaskMessage', body: { framework, task } });
  return launched(effects);
}

export function launched(effects: readonly AgentEffect[]): ContainerId {
  const launch = effects.find((effect) => effect.kind === 'launch');
  assert(launch?.kind === 'launch', 'nothing was launched');
  return launch.spec.containerId;
}

/** Launches a task, lets its container start and acknowledges TASK_STARTING and TASK_RUNNING. */
export function runToRunning(world: World, task: TaskInfo, framework: FrameworkInfo = frameworkOf()): ContainerId {
  const containerId = run(world, task, framework);
  containerStarted(world, containerId, 4711);
  acknowledgeAll(world);
  return containerId;
}

type MessageOf<Name extends LibprocessMessage['name']> = LibprocessMessage & {
  readonly body: LibprocessMessages[Name];
};

/** The bodies of the messages of that name that were sent, oldest first. */
export const sentOf = <Name extends LibprocessMessage['name']>(
  world: World,
  name: Name,
): readonly LibprocessMessages[Name][] =>
  world.sent
    .map(({ message }) => message)
    .filter((message): message is MessageOf<Name> => message.name === name)
    .map(({ body }) => body);

export const updates = (world: World): readonly StatusUpdate[] =>
  sentOf(world, 'StatusUpdateMessage').map(({ update }) => update);

/** The last status that was sent to the master. */
export function lastStatus(world: World): TaskStatus {
  const { status } = present(updates(world).at(-1), 'a status update');
  return status;
}

export const states = (world: World): readonly string[] => updates(world).map(({ status }) => status.state);

export function acknowledge(world: World, update: StatusUpdate): readonly AgentEffect[] {
  return world.message({
    name: 'StatusUpdateAcknowledgementMessage',
    body: {
      agent_id: { value: 'm-S0' },
      framework_id: update.framework_id,
      task_id: update.status.task_id,
      uuid: update.uuid ?? '',
    },
  });
}

/** Acknowledges every update that was sent, and those that are sent when an earlier one is acknowledged. */
export function acknowledgeAll(world: World): void {
  for (let seen = 0; seen < updates(world).length; seen++) acknowledge(world, updates(world)[seen] as StatusUpdate);
}

/** The container's process has started. */
export const containerStarted = (world: World, containerId: ContainerId, pid = 1): readonly AgentEffect[] =>
  world.input({ kind: 'containerEvent', event: { kind: 'started', containerId, pid } });

export const containerEnded = (world: World, containerId: ContainerId, status: ExitStatus): readonly AgentEffect[] =>
  world.input({ kind: 'containerEvent', event: { kind: 'exited', containerId, status } });

/** The container has ended by a signal: SIGKILL, unless another number is given. */
export const containerKilled = (world: World, containerId: ContainerId, signal = 9): readonly AgentEffect[] =>
  containerEnded(world, containerId, { kind: 'signaled', signal });

/** The container has exited with this status. */
export const exit = (world: World, containerId: ContainerId, code: number): readonly AgentEffect[] =>
  containerEnded(world, containerId, { kind: 'exited', code });

/** The container could not be launched. */
export const launchFailed = (
  world: World,
  containerId: ContainerId,
  message: string,
  stage: 'launch' | 'fetch' = 'launch',
): readonly AgentEffect[] =>
  world.input({ kind: 'containerEvent', event: { kind: 'launchFailed', containerId, stage, message } });

/** A container that a restarted agent finds running. */
export const alive = (containerId: ContainerId, pid = 4711): RecoveredContainer => ({
  containerId,
  state: 'running',
  pid,
});

/** A container that ended before the agent restarted. */
export const ended = (
  containerId: ContainerId,
  status: ExitStatus,
): Extract<RecoveredContainer, { state: 'ended' }> => ({
  containerId,
  state: 'ended',
  status,
});

/** A kill of a task of `frameworkOf`, with a grace period if there is one. */
export const killTask = (world: World, taskId: string, graceMs?: number): readonly AgentEffect[] =>
  world.message({
    name: 'KillTaskMessage',
    body: {
      framework_id: { value: 'f-1' },
      task_id: { value: taskId },
      ...(graceMs === undefined ? {} : { kill_policy: { grace_period: { nanoseconds: graceMs * 1e6 } } }),
    },
  });

/** The framework of `frameworkOf`, while the agent has it. */
export const frameworkIn = ({ core }: World): FrameworkRecord | undefined =>
  core.state.frameworks.get('f-1' as FrameworkId);

/** An operation that was sent with the agent's resource version, unless `version` is another one. */
export const applyOperation = (
  world: World,
  frameworkId: string,
  uuid: string,
  info: OfferOperation,
  version = world.core.state.resourceVersion,
): readonly AgentEffect[] =>
  world.message({
    name: 'ApplyOperationMessage',
    body: {
      framework_id: { value: frameworkId },
      operation_info: info,
      operation_uuid: { value: uuid },
      resource_version_uuid: { uuid: { value: version } },
    },
  });

/** Feeds how full the disk is; returns the containers whose sandboxes the agent then removes. */
export const sandboxesRemovedFor = (world: World, usedShare = 1): readonly ContainerId[] =>
  world
    .input({ kind: 'diskUsage', usedShare })
    .flatMap((effect) => (effect.kind === 'removeSandbox' ? [effect.containerId] : []));
