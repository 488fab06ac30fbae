// A simulated environment of a master's core, for tests: agents and schedulers that keep the messages and events that they
// received, a store that answers at once or on demand, and a clock that only `wait` advances.
import {
  type AgentId,
  assert,
  type FrameworkId,
  type Id,
  type Now,
  type Pid,
  present,
  seededRandom,
} from '@meseta/base';
import { parseResources } from '@meseta/resources';
import type {
  AgentInfo,
  DomainInfo,
  FrameworkInfo,
  LibprocessMessage,
  MasterCall,
  Offer,
  ReregisterAgentMessage,
  Resource,
  SchedulerCall,
  SchedulerCallSubscribe,
  SchedulerEvent,
  SchedulerV0Call,
  TaskInfo,
  TaskStatus,
} from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import type { RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import type { MasterEffect, MasterInput, Note, Reply, RequestId, StreamId } from './io.js';
import { createMaster, type MasterCore } from './machine.js';
import { DEFAULT_MASTER_OPTIONS, type MasterOptions } from './options.js';

export interface WorldOptions extends Partial<MasterOptions> {
  readonly registry?: RegistryState;
  /** Whether the election is left to the test. */
  readonly waiting?: boolean;
  /** The master's fault domain. */
  readonly domain?: DomainInfo;
}

export interface World {
  master: MasterCore;
  readonly notes: Note[];
  readonly persisted: RegistryOperation[];
  readonly exits: string[];
  readonly effects: MasterEffect[];
  now(): Now;
  feed(input: MasterInput): void;
  /** Answers one batch, after `holdStore(true)`. */
  completeWrites(): void;
  holdStore(held: boolean): void;
  /** Advances the clock from deadline to deadline, and feeds a tick at each. */
  wait(ms: number): void;
  agent(resources?: string, more?: Partial<AgentSpec>): TestAgent;
  subscribe(info?: Partial<FrameworkInfo>, more?: Partial<SchedulerCallSubscribe>): TestScheduler;
  operator(call: MasterCall): Reply | undefined;
  scheduler(call: SchedulerCall, streamId?: string): Reply | undefined;
}

export interface AgentSpec {
  readonly pid: string;
  readonly info: Partial<AgentInfo>;
  readonly version: string;
  /** Whether the agent is not registered. */
  readonly unregistered: boolean;
}

type MessageBody<Name> = Extract<LibprocessMessage, { readonly name: Name }>['body'];

export interface TestAgent {
  readonly pid: Pid;
  readonly info: AgentInfo;
  readonly id: AgentId;
  readonly received: LibprocessMessage[];
  /** Removes and returns the oldest message with that name. */
  take<Name extends LibprocessMessage['name']>(name: Name): MessageBody<Name>;
  has(name: LibprocessMessage['name']): boolean;
  send(message: LibprocessMessage): void;
  /** Whether it answers pings. */
  answersPings: boolean;
  register(): void;
  reregister(more?: Partial<ReregisterAgentMessage>): void;
  /** Sends a status update of a launched task and returns the update's uuid. */
  update(
    framework: Pick<TestScheduler, 'id'>,
    taskId: string,
    state: TaskStatus['state'],
    latest?: TaskStatus['state'],
  ): string;
  breakConnection(): void;
}

export interface TestScheduler {
  readonly id: FrameworkId;
  readonly stream: StreamId;
  readonly info: FrameworkInfo;
  readonly events: SchedulerEvent[];
  readonly isClosed: boolean;
  /** Removes and returns the oldest event of that type. */
  take(type: SchedulerEvent['type']): SchedulerEvent;
  has(type: SchedulerEvent['type']): boolean;
  offer(): Offer;
  status(): TaskStatus;
  call(call: SchedulerCall): Reply | undefined;
  launch(offer: Offer, ...tasks: TaskInfo[]): Reply | undefined;
  acknowledge(status: TaskStatus): void;
  disconnect(): void;
}

export const CAPABILITIES = [
  { type: 'MULTI_ROLE' },
  { type: 'HIERARCHICAL_ROLE' },
  { type: 'RESERVATION_REFINEMENT' },
  { type: 'RESOURCE_PROVIDER' },
  { type: 'RESIZE_VOLUME' },
  { type: 'AGENT_OPERATION_FEEDBACK' },
  { type: 'AGENT_DRAINING' },
  { type: 'TASK_RESOURCE_LIMITS' },
] as const;

/** Parses resources and allocates them to the offer's role. */
export function resources(text: string, offer?: Offer): readonly Resource[] {
  const parsed = parseResources(text);
  assert(parsed.ok, `resources of a test: ${text}`);
  const { allocation_info } = offer ?? {};
  return allocation_info === undefined ? parsed.value : parsed.value.map((r) => ({ ...r, allocation_info }));
}

export const task = (id: string, offer: Offer, more: Partial<TaskInfo> = {}): TaskInfo => ({
  name: id,
  task_id: { value: id },
  agent_id: offer.agent_id,
  resources: resources('cpus:0.1;mem:32', offer),
  command: { value: 'sleep 60' },
  ...more,
});

/** The pid of a scheduler driver (v0). */
/** An agent on which the task `t` of a new framework runs; the update is acknowledged. */
export function runTask(
  world: World,
  info: Partial<FrameworkInfo> = {},
): { readonly agent: TestAgent; readonly scheduler: TestScheduler } {
  const agent = world.agent();
  const scheduler = world.subscribe(info);
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.take('RunTaskMessage');
  agent.update(scheduler, 't', 'TASK_RUNNING');
  scheduler.acknowledge(scheduler.status());
  return { agent, scheduler };
}

export const DRIVER = 'scheduler-1@10.0.0.9:7000' as Pid;

export const sendDriverCall = (world: World, body: SchedulerV0Call, from = DRIVER): void =>
  world.feed({ kind: 'message', from, message: { name: 'SchedulerCall', body } });

/** The messages that the master has sent to a pid, oldest first. */
export const messagesTo = ({ effects }: World, to = DRIVER): LibprocessMessage[] =>
  effects.flatMap((effect) => (effect.kind === 'send' && effect.to.includes(to) ? [effect.message] : []));

export const MASTER_ID = '00000000-0000-4000-8000-000000000001';

export function createWorld(options: WorldOptions = {}): World {
  const { registry, waiting, domain, ...flags } = options;
  const pid = 'master@10.0.0.1:5050' as Pid;
  const address = { ip: 16777226, port: 5050, pid, hostname: 'm1', version: '1.12.0' };
  const info = { id: MASTER_ID, ...address, ...(domain && { domain }) };
  const random = seededRandom(1);
  const master = createMaster({ info, pid }, { ...DEFAULT_MASTER_OPTIONS, ...flags }, random, random);
  const world = new TestWorld(master);
  if (waiting !== true) world.feed({ kind: 'elected', registry: registry ?? emptyRegistry() });
  return world;
}

class TestWorld implements World {
  readonly notes: Note[] = [];
  readonly persisted: RegistryOperation[] = [];
  readonly exits: string[] = [];
  readonly effects: MasterEffect[] = [];
  readonly random = seededRandom(7);
  private readonly inboxes = new Map<string, LibprocessMessage[]>();
  private readonly streams = new Map<string, { events: SchedulerEvent[]; closed: boolean; request: RequestId }>();
  private readonly replies = new Map<RequestId, Reply>();
  private readonly agents = new Map<string, TestAgent>();
  private readonly queue: MasterInput[] = [];
  private busy = false;
  private storeHeld = false;
  private requests = 0;
  private monoMs = 1_000;

  constructor(public master: MasterCore) {}

  now(): Now {
    return { monoMs: this.monoMs, wallMs: 1_700_000_000_000 + this.monoMs };
  }

  /** Inputs that effects cause are fed after all effects of the step have been performed. */
  feed(input: MasterInput): void {
    this.queue.push(input);
    if (this.busy) return;
    this.busy = true;
    for (;;) {
      const next = this.queue.shift() ?? (this.master.hasWork() ? { kind: 'continue' as const } : undefined);
      if (next === undefined) break;
      const effects = this.master.step(next, this.now());
      this.effects.push(...effects);
      for (const effect of effects) this.perform(effect);
    }
    this.busy = false;
  }

  private perform(effect: MasterEffect): void {
    switch (effect.kind) {
      case 'send':
        for (const to of effect.to) this.deliver(to, effect.message);
        break;
      case 'event':
        for (const stream of effect.streams) present(this.streams.get(stream), stream).events.push(effect.event);
        break;
      case 'openStream':
        this.streams.set(effect.stream, { events: [], closed: false, request: effect.request });
        break;
      case 'closeStream':
        present(this.streams.get(effect.stream), effect.stream).closed = true;
        break;
      case 'reply':
        this.replies.set(effect.request, effect.reply);
        break;
      case 'persist':
        this.persisted.push(...effect.operations);
        if (!this.storeHeld) this.completeWrites();
        break;
      case 'note':
        this.notes.push(effect.note);
        break;
      case 'exit':
        this.exits.push(effect.message);
        break;
      default:
        break;
    }
  }

  private deliver(to: Pid, message: LibprocessMessage): void {
    const inbox = this.inboxes.get(to) ?? [];
    this.inboxes.set(to, inbox);
    inbox.push(message);
    if (message.name === 'PingAgentMessage' && this.agents.get(to)?.answersPings === true) {
      this.feed({ kind: 'message', from: to, message: { name: 'PongAgentMessage', body: {} } });
    }
  }

  inbox(pid: Pid): LibprocessMessage[] {
    const inbox = this.inboxes.get(pid) ?? [];
    this.inboxes.set(pid, inbox);
    return inbox;
  }

  completeWrites(): void {
    this.feed({ kind: 'persisted' });
  }

  holdStore(held: boolean): void {
    this.storeHeld = held;
  }

  wait(ms: number): void {
    const end = this.monoMs + ms;
    for (;;) {
      const next = this.master.nextDeadline();
      if (next === undefined || next > end) break;
      this.monoMs = Math.max(this.monoMs, next);
      this.feed({ kind: 'tick' });
    }
    this.monoMs = end;
  }

  request(): RequestId {
    return `request-${this.requests++}` as RequestId;
  }

  operator(call: MasterCall): Reply | undefined {
    const request = this.request();
    this.feed({ kind: 'operatorCall', request, principal: undefined, call });
    return this.replies.get(request);
  }

  scheduler(call: SchedulerCall, streamId?: string): Reply | undefined {
    const request = this.request();
    const id = streamId as StreamId | undefined;
    this.feed({ kind: 'schedulerCall', request, principal: undefined, streamId: id, call });
    return this.replies.get(request);
  }

  agent(text = 'cpus:4;mem:4096;disk:8192;ports:[31000-31999]', more: Partial<AgentSpec> = {}): TestAgent {
    const agent = createAgent(this, text, more, this.agents.size);
    this.agents.set(agent.pid, agent);
    if (more.unregistered !== true) agent.register();
    return agent;
  }

  subscribe(info: Partial<FrameworkInfo> = {}, more: Partial<SchedulerCallSubscribe> = {}): TestScheduler {
    const framework_info: FrameworkInfo = {
      user: 'root',
      name: 'test',
      roles: ['*'],
      capabilities: [{ type: 'MULTI_ROLE' }],
      ...info,
    };
    const id = framework_info.id;
    const subscribe = { framework_info, ...more };
    const request = this.request();
    const call: SchedulerCall = { ...(id && { framework_id: id }), type: 'SUBSCRIBE', subscribe };
    this.feed({ kind: 'schedulerCall', request, principal: undefined, streamId: undefined, call });
    const opened = [...this.streams].find(([, stream]) => stream.request === request);
    assert(opened !== undefined, `SUBSCRIBE was answered ${JSON.stringify(this.replies.get(request))}`);
    return createScheduler(this, framework_info, opened[0] as StreamId, opened[1]);
  }
}

function takeFirst<T>(list: T[], matches: (item: T) => boolean, what: string): T {
  const at = list.findIndex(matches);
  const named = list.map((item) => (item as { name?: string; type?: string }).name ?? (item as { type?: string }).type);
  assert(at >= 0, `no ${what} among ${named.join(' ')}`);
  return present(list.splice(at, 1)[0], what);
}

function createAgent(world: TestWorld, text: string, more: Partial<AgentSpec>, number: number): TestAgent {
  const pid = (more.pid ?? `slave(1)@10.0.1.${number}:5051`) as Pid;
  const info: AgentInfo = {
    hostname: `agent${number}`,
    resources: resources(text),
    checkpoint: true,
    port: 5051,
    ...more.info,
  };
  const received = world.inbox(pid);
  const known = { version: more.version ?? '1.12.0', agent_capabilities: CAPABILITIES };
  const resource_version_uuid = { value: bytesOfUuid('11111111-1111-4111-8111-111111111111') };
  let id = '' as AgentId;
  /** Keeps the last id that the master assigned, because tests remove messages. */
  const readAssignedId = (): void => {
    for (const message of received) {
      if (message.name === 'AgentRegisteredMessage') id = message.body.agent_id.value as AgentId;
    }
  };
  const agent: TestAgent = {
    pid,
    info,
    get id() {
      readAssignedId();
      return id;
    },
    received,
    answersPings: true,
    take: <Name extends LibprocessMessage['name']>(name: Name) =>
      takeFirst(received, (message) => message.name === name, name).body as MessageBody<Name>,
    has: (name) => received.some((message) => message.name === name),
    send: (message) => void world.feed({ kind: 'message', from: pid, message }),
    register: () =>
      agent.send({ name: 'RegisterAgentMessage', body: { agent: info, ...known, resource_version_uuid } }),
    reregister(again = {}) {
      const body = { agent: { ...info, id: { value: agent.id } }, ...known, resource_version_uuid, ...again };
      agent.send({ name: 'ReregisterAgentMessage', body });
    },
    update(framework, taskId, state, latest) {
      const uuid = statusUuid(world);
      const status: TaskStatus = {
        task_id: { value: taskId },
        state,
        agent_id: { value: agent.id },
        executor_id: { value: taskId },
        source: 'SOURCE_EXECUTOR',
        uuid,
      };
      const update = {
        framework_id: { value: framework.id },
        executor_id: { value: taskId },
        agent_id: { value: agent.id },
        status,
        timestamp: world.now().wallMs / 1000,
        uuid,
        latest_state: latest ?? state,
      };
      agent.send({ name: 'StatusUpdateMessage', body: { update, pid } });
      return uuid;
    },
    breakConnection: () => void world.feed({ kind: 'peerLost', address: pid.slice(pid.indexOf('@') + 1) }),
  };
  return agent;
}

const statusUuid = (world: TestWorld): string => {
  const hex = (): string => world.random.uint32().toString(16).padStart(8, '0');
  const [a, b, c] = [hex(), hex(), hex()];
  return bytesOfUuid(`${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(0, 3)}-${c.slice(3)}${hex().slice(0, 7)}`);
};

function createScheduler(
  world: TestWorld,
  info: FrameworkInfo,
  stream: StreamId,
  inbox: { readonly events: SchedulerEvent[]; readonly closed: boolean },
): TestScheduler {
  const { events } = inbox;
  const subscribed = events.find((event) => event.type === 'SUBSCRIBED');
  const id = (subscribed?.subscribed?.framework_id.value ?? '') as FrameworkId & Id<'FrameworkId'>;
  const scheduler: TestScheduler = {
    id,
    stream,
    info,
    events,
    get isClosed() {
      return inbox.closed;
    },
    take: (type) => takeFirst(events, (event) => event.type === type, type ?? 'event'),
    has: (type) => events.some((event) => event.type === type),
    offer: () => present(scheduler.take('OFFERS').offers?.offers?.[0], 'an offer'),
    status: () => present(scheduler.take('UPDATE').update?.status, 'a status'),
    call: (call) => world.scheduler({ framework_id: { value: id }, ...call }, stream),
    launch: (offer, ...task_infos) =>
      scheduler.call({
        type: 'ACCEPT',
        accept: {
          offer_ids: [offer.id],
          operations: [{ type: 'LAUNCH', launch: { task_infos } }],
          filters: { refuse_seconds: 0 },
        },
      }),
    acknowledge: ({ agent_id, task_id, uuid }) => {
      const acknowledge = { agent_id: present(agent_id, 'agent_id'), task_id, uuid: present(uuid, 'uuid') };
      scheduler.call({ type: 'ACKNOWLEDGE', acknowledge });
    },
    disconnect: () => void world.feed({ kind: 'streamClosed', stream }),
  };
  return scheduler;
}
