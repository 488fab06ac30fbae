// One round of a rehearsal: a new master is elected, its agents and frameworks come back, tasks are launched and end, and
// clients read the state.
//
// Boundary: a master of its own on a port in memory (connected-master.ts). What it needs to know of the master, such as the
// offers, it reads from the master's state.
import { present } from '@meseta/base';
import { createLocalCoordination, createMemoryStore } from '@meseta/coordination';
import { createLogger } from '@meseta/platform';
import { createSecurity } from '@meseta/security';
import type { MasterCall, SchedulerCall } from '@meseta/wire';
import { MasterCallCodec, SchedulerCallCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType, PROTOBUF_TYPE } from '@meseta/wire/media';
import { DEFAULT_MASTER_OPTIONS } from '../../core/options.js';
import type { Framework, MasterState } from '../../core/state.js';
import type { MasterConfig } from '../configuration.js';
import { connectMaster } from '../connected-master.js';
import { type MemoryPort, openMemoryPort } from './memory-port.js';
import * as messages from './messages.js';
import type { Pace } from './pace.js';

/** Of the agents that the registry names: as many again register for the first time; lose their connection. */
const NEW_SHARE = 1 / 5;
const BROKEN_SHARE = 1 / 10;
const FRAMEWORKS = 10;
const ALLOCATION_INTERVAL_MS = 50;

const READ_TARGETS = [
  '/state',
  '/state-summary',
  '/slaves',
  '/frameworks',
  '/tasks',
  '/roles',
  '/weights',
  '/quota',
  '/metrics/snapshot',
  '/maintenance/status',
  '/health',
] as const;
const READ_CALLS = [
  'GET_STATE',
  'GET_AGENTS',
  'GET_FRAMEWORKS',
  'GET_TASKS',
  'GET_EXECUTORS',
  'GET_OPERATIONS',
  'GET_ROLES',
  'GET_METRICS',
  'GET_MASTER',
] as const;
const MEDIA_TYPES = [JSON_TYPE, PROTOBUF_TYPE] as const;

export interface RoundCounts {
  readonly registrations: number;
  readonly launches: number;
  readonly updates: number;
  readonly responses: number;
}

export interface RoundResult {
  readonly counts: RoundCounts;
  /** Of the round's master, which has stopped. */
  readonly state: MasterState;
}

export interface RoundOptions {
  readonly config: MasterConfig;
  /** In the registry; as many tasks are launched. */
  readonly agents: number;
  readonly pace: Pace;
}

/** The configuration of a rehearsed master: nobody authenticates, nothing is logged, the registry is in memory. */
function rehearsedConfig(config: MasterConfig): MasterConfig {
  const security = createSecurity('master', {
    acls: undefined,
    authorizer: 'local',
    credentials: undefined,
    jwtSecretKey: undefined,
    firewallRules: undefined,
    rateLimits: undefined,
    trustedHosts: [],
    realms: {},
  });
  const { gate } = present(security.ok ? security.value : undefined, 'the security of a master without flags');
  return {
    ...config,
    registry: { kind: 'memory' },
    options: { ...DEFAULT_MASTER_OPTIONS, allocator: { allocationIntervalMs: ALLOCATION_INTERVAL_MS } },
    domain: undefined,
    security: {
      gate,
      peers: {
        secrets: undefined,
        authenticateAgents: false,
        authenticateFrameworks: false,
        authenticationTimeoutMs: 15_000,
        limits: undefined,
        maxAgentsPerAddress: Number.POSITIVE_INFINITY,
      },
      tls: undefined,
      warnings: [],
    },
    log: createLogger({ component: 'rehearsal', level: 'silent' }),
    logFile: undefined,
  };
}

interface Round {
  readonly agents: number;
  readonly state: MasterState;
  readonly port: MemoryPort;
  readonly pace: Pace;
}

export async function runRound({ config, agents, pace }: RoundOptions): Promise<RoundResult> {
  const port = openMemoryPort();
  const { snapshot, batch } = messages.registryOf(agents);
  const store = createMemoryStore();
  const epoch = await store.nextEpoch();
  await store.snapshot(epoch, snapshot);
  await store.append(epoch, batch);
  const master = connectMaster({
    config: rehearsedConfig(config),
    port: port.port,
    coordination: createLocalCoordination(store),
    processStats: () => new Map(),
    // A round whose master has given up ends by the limits of its waits.
    onExit: () => {},
  });
  try {
    await master.lead(() => {});
    const round: Round = { agents, state: master.state, port, pace };
    await pace.until('recovery', () => master.state.recovered);
    await subscribe(round);
    await register(round);
    const { launches, updates } = await runTasks(round);
    await read(round);
    await reconnect(round);
    const { counters } = master.state;
    const registrations =
      (counters.get('master/slave_registrations') ?? 0) + (counters.get('master/slave_reregistrations') ?? 0);
    const responses = port.answered.requests + port.answered.calls;
    return { counts: { registrations, launches, updates, responses }, state: master.state };
  } finally {
    await master.stop();
    port.close();
  }
}

function request({ port }: Round, target: string, body: Uint8Array, contentType: MediaType, accept: MediaType): void {
  port.sendRequest({ method: 'POST', target, accept, contentType, body });
}

function call(round: Round, mediaType: MediaType, body: MasterCall): void {
  const bytes = mediaType === JSON_TYPE ? Buffer.from(MasterCallCodec.write(body)) : MasterCallCodec.encode(body);
  request(round, '/api/v1', bytes, mediaType, mediaType);
}

/** Frameworks and operators, of both media types. */
async function subscribe(round: Round): Promise<void> {
  const { state, pace } = round;
  for (const mediaType of MEDIA_TYPES) call(round, mediaType, { type: 'SUBSCRIBE' });
  for (let n = 0; n < FRAMEWORKS; n++) {
    const info = messages.frameworkInfo(n);
    const mediaType = MEDIA_TYPES[n % 2] as MediaType;
    const body: SchedulerCall = {
      type: 'SUBSCRIBE',
      ...(info.id === undefined ? {} : { framework_id: info.id }),
      subscribe: { framework_info: info },
    };
    const bytes =
      mediaType === JSON_TYPE ? Buffer.from(SchedulerCallCodec.write(body)) : SchedulerCallCodec.encode(body);
    request(round, '/api/v1/scheduler', bytes, mediaType, mediaType);
    await pace.turn();
  }
  await pace.until('subscriptions', () => state.frameworkByStream.size === FRAMEWORKS);
}

async function register({ agents, state, port, pace }: Round): Promise<void> {
  const all = agents + Math.ceil(agents * NEW_SHARE);
  for (let n = 0; n < agents; n++) {
    port.sendMessage(messages.agentPidOf(n), messages.reregistration(n, FRAMEWORKS));
    await pace.turn();
  }
  for (let n = agents; n < all; n++) {
    port.sendMessage(messages.agentPidOf(n), messages.registration(n));
    await pace.turn();
  }
  await pace.until('registrations', () => state.agents.registered.size === all);
  let n = 0;
  for (const { id, pid } of [...state.agents.registered.values()]) {
    port.sendMessage(pid, messages.agentUpdate(id, n++));
    await pace.turn();
  }
}

const streamOf = (framework: Framework | undefined) =>
  framework?.connection?.kind === 'stream' ? framework.connection.id : undefined;

/** Sends a call of a scheduler, if its framework is connected. */
function schedulerCall({ state, port }: Round, frameworkId: Framework['id'], body: SchedulerCall): void {
  const framework = state.frameworks.get(frameworkId);
  const stream = streamOf(framework);
  if (framework !== undefined && stream !== undefined)
    port.sendCall(stream, { framework_id: framework.wireId, ...body });
}

/** Launches tasks on offers; each is reported as running, and then as finished. */
async function runTasks(round: Round): Promise<{ readonly launches: number; readonly updates: number }> {
  const { agents, state, port, pace } = round;
  let launches = 0;
  let updates = 0;
  while (launches < agents) {
    await pace.until('offers', () => state.offers.size > 0);
    const offers = [...state.offers.values()].slice(0, agents - launches);
    for (const { id, frameworkId, offer } of offers) {
      const task = messages.taskInfo(`launched-${launches++}`, offer);
      schedulerCall(round, frameworkId, {
        type: 'ACCEPT',
        accept: {
          offer_ids: [{ value: id }],
          operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }],
          filters: { refuse_seconds: 0 },
        },
      });
      await pace.turn();
    }
    await pace.until('launches', () => offers.every(({ id }) => !state.offers.has(id)));
  }
  for (const taskState of ['TASK_RUNNING', 'TASK_FINISHED'] as const) {
    for (const framework of [...state.frameworks.values()]) {
      for (const { task_id, agent_id } of [...framework.tasks.values()]) {
        const agent = state.agents.registered.get(agent_id.value as never);
        if (agent === undefined || !task_id.value.startsWith('launched-')) continue;
        const parts = { taskId: task_id.value, agentId: agent.id, n: updates++ };
        port.sendMessage(agent.pid, messages.statusUpdate(framework.id, agent.pid, { ...parts, state: taskState }));
        schedulerCall(round, framework.id, { type: 'ACKNOWLEDGE', acknowledge: messages.acknowledgement(parts) });
        await pace.turn();
      }
    }
  }
  return { launches, updates };
}

async function read(round: Round): Promise<void> {
  const { port, pace } = round;
  for (const target of READ_TARGETS) {
    port.sendRequest({ method: 'GET', target, accept: JSON_TYPE });
    await pace.turn();
  }
  for (const type of READ_CALLS) {
    for (const mediaType of MEDIA_TYPES) {
      call(round, mediaType, { type });
      await pace.turn();
    }
  }
  const reads = READ_TARGETS.length + READ_CALLS.length * MEDIA_TYPES.length;
  await pace.until('reads', () => port.answered.requests === reads);
}

/** Connections of agents break, and the agents come back; frameworks reconcile, revive and end. */
async function reconnect(round: Round): Promise<void> {
  const { agents, state, port, pace } = round;
  const broken = Math.ceil(agents * BROKEN_SHARE);
  const countConnected = (): number =>
    [...state.agents.registered.values()].filter(({ connected }) => connected).length;
  const all = countConnected();
  for (let n = 0; n < broken; n++) port.breakConnection(messages.agentPidOf(n));
  await pace.until('losses', () => countConnected() === all - broken);
  for (let n = 0; n < broken; n++) port.sendMessage(messages.agentPidOf(n), messages.reregistration(n, FRAMEWORKS));
  await pace.until('returns', () => countConnected() === all);
  for (const { id } of [...state.frameworks.values()]) {
    schedulerCall(round, id, { type: 'RECONCILE', reconcile: {} });
    schedulerCall(round, id, { type: 'REVIVE' });
    await pace.turn();
  }
  const [last] = state.frameworks.keys();
  if (last !== undefined) schedulerCall(round, last, { type: 'TEARDOWN' });
  await pace.until('the end of a framework', () => state.completedFrameworks.size > 0);
}
