// Plays the inputs of a story of the agent's core. `testdata/README.md` describes the lines; a verb that is not in `VERBS` is
// an input by its kind.
import type { ContainerId, Pid } from '@meseta/base';
import { storyJson } from '@meseta/base/testing/story';
import type { ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import type {
  FrameworkInfo,
  LibprocessMessage,
  OfferOperation,
  RunTaskMessage,
  StatusUpdate,
  TaskInfo,
} from '@meseta/wire';
import type { AgentEffect, AgentInput } from '../io.js';
import type { AgentOptions } from '../options.js';
import { acknowledge, applyOperation, createWorld, MASTER, sentOf, updates, type World } from '../testing.js';

interface Scene {
  world: World;
  /** Container ids by the id of their task, executor or nested container. */
  readonly containers: Map<string, ContainerId>;
  /** The uuids of the statuses of tasks and operations that the master has acknowledged. */
  readonly acknowledged: Set<string | undefined>;
}

interface RunLine extends Partial<TaskInfo> {
  readonly id: string;
  readonly framework?: Partial<FrameworkInfo>;
  readonly message?: Partial<RunTaskMessage>;
}

interface OperationLine extends OfferOperation {
  readonly uuid: string;
  readonly version?: string;
}

interface RestartLine {
  readonly containers?: readonly RecoveredContainer[];
  readonly config?: Partial<AgentOptions>;
}

type ReceiveLine = { readonly from?: Pid } & Readonly<Record<string, unknown>>;

const VERBS: { readonly [verb: string]: (scene: Scene, value: never) => void } = {
  agent: continueWith,
  registered(scene, options: Partial<AgentOptions>) {
    continueWith(scene, options);
    scene.world.input({ kind: 'start', checkpoint: [], containers: [] });
    acceptRegistration(scene.world, 'AgentRegisteredMessage');
  },
  reregistered: ({ world }) => acceptRegistration(world, 'AgentReregisteredMessage'),
  restart: ({ world }, { containers = [], config = {} }: RestartLine) => world.restart(containers, config),
  wait: ({ world }, ms: number) => world.pass(ms),
  holdWrites({ world }) {
    world.durable = false;
  },
  completeWrites: ({ world }, count: unknown) => world.flush(typeof count === 'number' ? count : undefined),
  receive({ world }, { from = MASTER, ...messages }: ReceiveLine) {
    const [[name, body] = ['', {}]] = Object.entries(messages);
    world.message({ name, body } as LibprocessMessage, from);
  },
  run: ({ world }, line: RunLine) => runTask(world, line),
  started(scene, pids: Readonly<Record<string, number>>) {
    for (const [name, pid] of Object.entries(pids)) {
      scene.world.input({ kind: 'containerEvent', event: { kind: 'started', containerId: idOf(scene, name), pid } });
    }
  },
  exited(scene, ends: Readonly<Record<string, number | string>>) {
    for (const [name, end] of Object.entries(ends)) {
      const event = { kind: 'exited', containerId: idOf(scene, name), status: exitStatusOf(end) } as const;
      scene.world.input({ kind: 'containerEvent', event });
    }
  },
  operation: ({ world }, { uuid, version, ...info }: OperationLine) =>
    void applyOperation(world, 'F', uuid, info, version),
  acknowledge({ world, acknowledged }) {
    // An acknowledgement may lead to the next update.
    for (let at = 0; at < updates(world).length; at++) {
      const update = updates(world)[at] as StatusUpdate;
      if (acknowledged.has(update.uuid)) continue;
      acknowledged.add(update.uuid);
      acknowledge(world, update);
    }
  },
  acknowledgeOperations: ({ world, acknowledged }) => acknowledgeOperations(world, acknowledged),
};

/** The story continues with another agent, whose random ids are those of the first one. */
function continueWith(scene: Scene, options: Partial<AgentOptions>): void {
  scene.world = createWorld(options);
  scene.containers.clear();
  scene.acknowledged.clear();
}

const idOf = ({ containers }: Scene, name: string): ContainerId => containers.get(name) ?? (name as ContainerId);

/** The master is detected and answers the first registration. */
function acceptRegistration(world: World, name: 'AgentRegisteredMessage' | 'AgentReregisteredMessage'): void {
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(world.core.state.options.registrationBackoffMs);
  world.message({ name, body: { agent_id: { value: 'S0' } } });
}

/** A task of framework `F` that runs a command of the same name, unless the line says otherwise. */
function runTask(world: World, { id, framework, message, ...task }: RunLine): void {
  const command = task.executor === undefined ? { command: { value: id } } : {};
  world.message({
    name: 'RunTaskMessage',
    body: {
      framework: { user: 'u', name: 'n', id: { value: 'F' }, ...framework },
      task: { name: id, task_id: { value: id }, agent_id: { value: 'S0' }, ...command, ...task },
      ...message,
    },
  });
}

function acknowledgeOperations(world: World, acknowledged: Scene['acknowledged']): void {
  for (const { operation_uuid, status } of sentOf(world, 'UpdateOperationStatusMessage')) {
    if (operation_uuid === undefined || status.uuid === undefined || acknowledged.has(status.uuid.value)) continue;
    acknowledged.add(status.uuid.value);
    const body = { operation_uuid, status_uuid: status.uuid };
    world.message({ name: 'AcknowledgeOperationStatusMessage', body });
  }
}

/** `0` is an exit status, `"#9"` a signal. */
const exitStatusOf = (end: number | string): ExitStatus =>
  typeof end === 'number' ? { kind: 'exited', code: end } : { kind: 'signaled', signal: Number(end.slice(1)) };

function countersOf({ core }: World): string {
  const { tasks, ...counters } = core.state.counters;
  const entries = [...Object.entries(counters), ...[...tasks].map(([state, count]) => [`tasks ${state}`, count])];
  return storyJson(Object.fromEntries(entries.filter(([, count]) => count !== 0)));
}

/** Remembers the containers of launches under the ids by which the story names them; their sandboxes contain these ids. */
function noteContainers({ containers }: Scene, effects: readonly AgentEffect[]): void {
  for (const effect of effects) {
    if (effect.kind !== 'launch') continue;
    const { sandbox, containerId } = effect.spec;
    const [, executor, executorContainer] = /\/executors\/([^/]+)\/runs\/([^/]+)/.exec(sandbox) ?? [];
    if (executor !== undefined) containers.set(executor, executorContainer as ContainerId);
    const nested = effect.spec.outer?.pod?.taskId ?? /\/containers\/([^/]+)$/.exec(sandbox)?.[1];
    if (nested !== undefined) containers.set(nested, containerId);
  }
}

function lineOf(effect: AgentEffect): string {
  switch (effect.kind) {
    case 'log':
      return `${effect.level}: ${effect.text}`;
    case 'send':
      return `to ${effect.to} ${effect.message.name} ${storyJson(effect.message.body)}`;
    case 'checkpoint':
      return `checkpoint ${storyJson(Object.fromEntries(effect.changes.map(({ key, record }) => [key, record ?? null])))}`;
    default: {
      const { kind, ...rest } = effect;
      return `${kind} ${storyJson(rest)}`;
    }
  }
}

/**
 * Returns a function that plays one input of a story and returns the lines of its effects. `afterInput` is called with the
 * world after each input.
 */
export function createStoryPlayer(
  afterInput: (world: World) => void = () => {},
): (verb: string, value: unknown) => readonly string[] {
  const scene: Scene = { world: createWorld(), containers: new Map(), acknowledged: new Set() };
  const withContainerIds = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value ?? {}).replaceAll(/\$([\w-]+)/g, (_, name: string) => idOf(scene, name)));
  return (verb, given) => {
    if (verb === 'counters') return [countersOf(scene.world)];
    const value = withContainerIds(given);
    const { world } = scene;
    const before = world.effects.length;
    const play = VERBS[verb];
    if (play !== undefined) play(scene, value as never);
    else world.input({ kind: verb, ...(value as object) } as AgentInput);
    afterInput(scene.world);
    // A story that continues with another agent does not repeat how that one registers.
    if (scene.world !== world) return [];
    const effects = world.effects.slice(before);
    noteContainers(scene, effects);
    return effects.map(lineOf);
  };
}
