// Plays the inputs of a story of the master's core. `testdata/README.md` describes the lines; a verb that is not in `VERBS`
// is an input by its kind.
import { type FrameworkId, type Pid, present } from '@meseta/base';
import { storyJson } from '@meseta/base/testing/story';
import type {
  AgentInfo,
  FrameworkInfo,
  LibprocessMessage,
  MasterCall,
  Offer,
  ReregisterAgentMessage,
  SchedulerCall,
  Task,
  TaskInfo,
  TaskState,
  TaskStatus,
} from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { emptyRegistry } from '../../registry/state.js';
import type { MasterEffect, MasterInput, RequestId, StreamId } from '../io.js';
import { createWorld, MASTER_ID, resources, type TestAgent, task, type World, type WorldOptions } from '../testing.js';

interface Scene {
  world: World;
  /** In the order of their `agent` lines. */
  readonly agents: TestAgent[];
  readonly streams: StreamId[];
  /** The number of calls so far. */
  calls: number;
  /** The number of batches that the store has answered, after `hold true`. */
  answeredBatches: number;
  /** The counters as the last `counters` line showed them. */
  readonly shownCounters: Map<string, number>;
}

type StoryOptions = Omit<WorldOptions, 'weights' | 'roles'> & {
  /** Actions that its authorizer refuses: `ACTION` or `ACTION VALUE`. */
  readonly denied?: readonly string[];
  readonly weights?: Readonly<Record<string, number>>;
  readonly roles?: readonly string[];
};

interface CallLine extends SchedulerCall {
  readonly stream?: number;
  readonly principal?: string;
}

interface LaunchLine {
  readonly offer: string;
  /** The resources of each task. */
  readonly tasks: Readonly<Record<string, string>>;
  /** Fields of all tasks. */
  readonly more?: Partial<TaskInfo>;
}

interface UpdateLine {
  readonly agent: number;
  readonly framework?: string;
  readonly task: string;
  readonly state: TaskState;
  readonly latest?: TaskState;
}

interface ReregisterLine extends Omit<ReregisterAgentMessage, 'agent' | 'tasks'> {
  readonly agent: number;
  readonly info?: Partial<AgentInfo>;
  readonly framework?: string;
  /** The state of each task of the framework. */
  readonly tasks?: Readonly<Record<string, TaskState>>;
  /** The last digit of its resource version. */
  readonly resourceVersion?: number;
}

type ReceiveLine = { readonly from: Pid; readonly principal?: string } & Readonly<Record<string, unknown>>;

const FIRST_FRAMEWORK = `${MASTER_ID}-0000`;

/** Each verb feeds its inputs; it returns the lines that it shows if these are not the effects. */
const VERBS: { readonly [verb: string]: (scene: Scene, value: never) => readonly string[] | undefined } = {
  master: (scene, options: StoryOptions) => startMaster(scene, options),
  failover: (scene, options: StoryOptions) =>
    startMaster(scene, { ...options, registry: scene.world.master.state.registrar.durable }),
  elect: ({ world }) => void world.feed({ kind: 'elected', registry: emptyRegistry() }),
  hold(scene, held: boolean) {
    scene.world.holdStore(held);
    scene.answeredBatches = batchCount(scene.world);
    return [];
  },
  persisted(scene) {
    if (scene.answeredBatches === batchCount(scene.world)) return ['no batch is with the store'];
    scene.answeredBatches++;
    scene.world.completeWrites();
    return undefined;
  },
  counters: ({ world, shownCounters }) => changedCounters(world.master, shownCounters),
  timers: ({ world }) => timerLines(world),
  wait: ({ world }, ms: number) => void world.wait(ms),
  agent: ({ world, agents }, text: string) => void agents.push(world.agent(text)),
  subscribe: ({ world }, info: Partial<FrameworkInfo>) => void world.subscribe(info),
  call(scene, { stream, principal, ...call }: CallLine) {
    const streamId = stream === undefined ? undefined : scene.streams[stream];
    scene.world.feed({ kind: 'schedulerCall', request: nextRequest(scene), principal, streamId, call });
    return undefined;
  },
  operator(scene, { principal, ...call }: MasterCall & { readonly principal?: string }) {
    scene.world.feed({ kind: 'operatorCall', request: nextRequest(scene), principal, call });
    return undefined;
  },
  receive({ world }, { from, principal, ...messages }: ReceiveLine) {
    const [[name, body] = ['', {}]] = Object.entries(messages);
    world.feed({ kind: 'message', from, message: { name, body } as LibprocessMessage, principal });
    return undefined;
  },
  reregister: (scene, line: ReregisterLine) => reregister(scene, line),
  launch: (scene, line: LaunchLine) => launch(scene, line),
  update({ agents }, { agent, framework = FIRST_FRAMEWORK, task: taskId, state, latest }: UpdateLine) {
    present(agents[agent], `agent ${agent}`).update({ id: framework as FrameworkId }, taskId, state, latest);
    return undefined;
  },
  acknowledge: (scene, { stream }: { readonly stream: number }) => acknowledgeLast(scene, stream),
};

const nextRequest = (scene: Scene): RequestId => `call-${++scene.calls}` as RequestId;

const batchCount = ({ effects }: World): number => effects.filter(({ kind }) => kind === 'persist').length;

function startMaster(scene: Scene, { denied = [], weights, roles, ...options }: StoryOptions): readonly string[] {
  scene.streams.length = 0;
  scene.agents.length = 0;
  scene.shownCounters.clear();
  scene.world = createWorld({
    ...options,
    ...(weights && { weights: new Map(Object.entries(weights)) }),
    ...(roles && { roles: new Set(roles) }),
    authorize: ({ action, value }) => !denied.includes(action) && !denied.includes(`${action} ${value}`),
  });
  return scene.world.effects.map(lineOf);
}

function reregister(scene: Scene, { agent, info, framework, tasks = {}, resourceVersion, ...more }: ReregisterLine) {
  const sender = present(scene.agents[agent], `agent ${agent}`);
  const reported = Object.entries(tasks).map(
    ([id, state]): Task => ({
      name: id,
      task_id: { value: id },
      framework_id: { value: framework ?? FIRST_FRAMEWORK },
      agent_id: { value: sender.id },
      state,
    }),
  );
  sender.reregister({
    ...(info && { agent: { ...sender.info, id: { value: sender.id }, ...info } }),
    ...(reported.length > 0 && { tasks: reported }),
    ...(resourceVersion !== undefined && {
      resource_version_uuid: { value: bytesOfUuid(`99999999-9999-4999-8999-99999999999${resourceVersion}`) },
    }),
    ...more,
  });
  return undefined;
}

/** Launches tasks on a whole offer, which need not be valid any more. Tasks with an executor have no command. */
function launch(scene: Scene, { offer: offerId, tasks, more = {} }: LaunchLine): undefined {
  const { world } = scene;
  const offers = world.effects.flatMap((effect): readonly (readonly [StreamId | undefined, Offer])[] =>
    effect.kind === 'event' ? (effect.event.offers?.offers ?? []).map((it) => [effect.streams[0], it]) : [],
  );
  const [streamId, offer] = present(
    offers.find(([, { id }]) => id.value === offerId),
    `offer ${offerId}`,
  );
  const task_infos = Object.entries(tasks).map(([id, text]) => {
    const { command, ...info } = task(id, offer, { resources: resources(text, offer), ...more });
    return info.executor === undefined ? { ...info, command } : info;
  });
  const call: SchedulerCall = {
    framework_id: offer.framework_id,
    type: 'ACCEPT',
    accept: {
      offer_ids: [offer.id],
      operations: [{ type: 'LAUNCH', launch: { task_infos } }],
      filters: { refuse_seconds: 0 },
    },
  };
  world.feed({ kind: 'schedulerCall', request: nextRequest(scene), principal: undefined, streamId, call });
}

/** The scheduler of a stream acknowledges the last status update that it got. */
function acknowledgeLast(scene: Scene, stream: number): undefined {
  const { world, streams } = scene;
  const streamId = present(streams[stream], `stream ${stream}`);
  const isSubscribed = [...world.master.state.frameworkByStream].find(([id]) => id === streamId);
  const statuses = world.effects.flatMap((effect): readonly TaskStatus[] => {
    const status =
      effect.kind === 'event' && effect.streams.includes(streamId) ? effect.event.update?.status : undefined;
    return status === undefined ? [] : [status];
  });
  const { agent_id, task_id, uuid } = present(statuses.at(-1), 'a status update');
  const acknowledge = { agent_id: present(agent_id, 'agent_id'), task_id, uuid: present(uuid, 'uuid') };
  const [, frameworkId] = present(isSubscribed, `the framework of stream ${stream}`);
  const call: SchedulerCall = { framework_id: { value: frameworkId }, type: 'ACKNOWLEDGE', acknowledge };
  world.feed({ kind: 'schedulerCall', request: nextRequest(scene), principal: undefined, streamId, call });
}

function lineOf(effect: MasterEffect): string {
  switch (effect.kind) {
    case 'send': {
      const { to, from, message } = effect;
      return `${from} to ${to.join(' ')} ${message.name} ${storyJson(message.body)}`;
    }
    case 'reply':
      return `reply ${effect.request} ${effect.reply.status} ${effect.reply.text ?? ''}`.trimEnd();
    case 'event':
      return `event to ${effect.streams.join(' ')} ${storyJson(effect.event)}`;
    case 'persist':
      return `persist ${storyJson(effect.operations)}`;
    case 'note': {
      const { note } = effect;
      if (note.kind === 'log') return `${note.level}: ${note.text}`;
      const { kind, ...rest } = note;
      return `${kind} ${storyJson({ ...rest, framework: undefined })}`;
    }
    default: {
      const { kind, ...rest } = effect;
      return `${kind} ${storyJson(rest)}`;
    }
  }
}

function timerLines(world: World): readonly string[] {
  const { byKey, deadlines } = world.master.state.timers;
  const { monoMs } = world.now();
  return deadlines.heap
    .filter(({ key, generation }) => deadlines.live.get(key) === generation)
    .map(({ key, atMonoMs }) => `timer ${storyJson(byKey.get(key))} due in ${atMonoMs - monoMs} ms`)
    .sort();
}

/** The counters that changed since they were last read into `shown`, by name. */
function changedCounters({ state }: World['master'], shown: Map<string, number>): readonly string[] {
  const counters = new Map(state.counters);
  for (const { id, counters: own } of state.frameworks.values()) {
    for (const [name, value] of own) counters.set(`${id} ${name}`, value);
  }
  const changed = [...counters].filter(([name, value]) => value !== (shown.get(name) ?? 0));
  for (const [name, value] of changed) shown.set(name, value);
  return changed.map(([name, value]) => `${name} ${value}`).sort();
}

/** Replaces `$stream0`, `$S0`, `$O0` and `$F0` by ids, and `7n` by a bigint. */
function withIds({ streams }: Scene, value: unknown): unknown {
  const text = storyJson(value ?? {})
    .replaceAll(/\$stream(\d+)/g, (_, at: string) => streams[Number(at)] ?? at)
    .replaceAll(/\$([SO]\d+)/g, `${MASTER_ID}-$1`)
    .replaceAll(/\$F(\d+)/g, (_, at: string) => `${MASTER_ID}-${at.padStart(4, '0')}`);
  return JSON.parse(text, (_, part: unknown) =>
    typeof part === 'string' && /^-?\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part,
  );
}

/** A player of one story. `afterInput` is called with the world after each input. */
export function createStoryPlayer(
  afterInput: (world: World) => void = () => {},
): (verb: string, value: unknown) => readonly string[] {
  const scene: Scene = {
    world: createWorld(),
    agents: [],
    streams: [],
    calls: 0,
    answeredBatches: 0,
    shownCounters: new Map(),
  };
  return (verb, value) => {
    const before = scene.world.effects.length;
    const given = withIds(scene, value);
    const play = VERBS[verb];
    const shown =
      play === undefined
        ? scene.world.feed({ kind: verb, ...(given as object) } as MasterInput)
        : play(scene, given as never);
    if (shown !== undefined) return shown;
    afterInput(scene.world);
    const effects = scene.world.effects.slice(before);
    for (const effect of effects) if (effect.kind === 'openStream') scene.streams.push(effect.stream);
    return effects.map(lineOf);
  };
}
