// A process of emulated agents, controlled over IPC by emulator.ts. Each agent has its own address unless several share one.
// Agents answer pings, report launched tasks as running at once, and re-register with their tasks. The agents of a process share
// one observer of the election.
import { backoffPauseMs, type Pid, pidOf } from '@meseta/base';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import type { LibprocessMessage, Task, TaskState, TaskStatus } from '@meseta/wire';
import { readElectedMaster } from '@meseta/wire/leader-info';
import { decodeMessage } from '@meseta/wire/libprocess-codec';
import { agentInfo, registration, reregistration, runningTask, statusUpdate } from './emulated-agent.js';
import { type EmulatedPeer, openPeer } from './emulated-peer.js';
import { type EmulatorOrder, type EmulatorReport, ENDING_COMMAND, type FrameworkShare } from './emulator.js';

interface Agent {
  readonly at: number;
  readonly actor: string;
  readonly peer: EmulatedPeer;
  id: string | undefined;
  registered: boolean;
  /** When it first re-registered with the last elected leader. */
  firstSentMs: number;
  /** The running tasks that the agent reports when it re-registers. */
  tasks: readonly Task[];
}

const state = {
  agents: [] as Agent[],
  peers: [] as EmulatedPeer[],
  master: '' as Pid,
  reported: 0,
  counts: { registered: 0, launched: 0, acknowledged: 0 },
  frameworks: [] as readonly FrameworkShare[],
  /** Tasks that stay, in the order of their launch. */
  running: [] as { readonly agent: Agent; readonly frameworkId: string; readonly taskId: string }[],
  /** When the first message of the last wave was sent and its last answer received, on the wall clock. */
  wave: { beganMs: 0, endedMs: 0 },
  /** Since the election of another leader. */
  returns: { isAwaited: false, detectedMs: 0, answeredMs: [] as number[], tookMs: [] as number[] },
};

/** The default of --registration_backoff_factor, and the longest pause of an agent. */
const BACKOFF = { firstMs: 1000, longestMs: 60_000 };
const RANDOM = { uint32: () => Math.floor(Math.random() * 2 ** 32) };

const wall = (): number => performance.timeOrigin + performance.now();
const send = (report: EmulatorReport): void => void process.send?.(report);

function registered(agent: Agent, id: string): void {
  if (agent.registered) return;
  agent.id = id;
  agent.registered = true;
  state.counts.registered++;
  if (state.returns.detectedMs > 0) {
    state.returns.answeredMs.push(wall());
    state.returns.tookMs.push(wall() - agent.firstSentMs);
    return reportReturn();
  }
  if (state.counts.registered < state.agents.length) return;
  state.wave.endedMs = wall();
  send({ kind: 'registered', ...state.wave });
}

function update(
  agent: Agent,
  frameworkId: string,
  taskId: string,
  taskState: TaskState,
  more: Pick<TaskStatus, 'healthy' | 'message'> = {},
): void {
  const pid = pidOf(agent.actor, agent.peer.address);
  const body = statusUpdate({ taskId, agentId: agent.id ?? '', frameworkId, state: taskState, pid, more });
  agent.peer.send(agent.actor, state.master, { name: 'StatusUpdateMessage', body });
}

function receive(agent: Agent, from: Pid, message: LibprocessMessage): void {
  const { peer, actor } = agent;
  switch (message.name) {
    case 'PingAgentMessage':
      return peer.send(actor, from, { name: 'PongAgentMessage', body: {} });
    case 'AgentRegisteredMessage':
    case 'AgentReregisteredMessage':
      return registered(agent, message.body.agent_id.value);
    case 'RunTaskMessage': {
      state.counts.launched++;
      const { framework, task } = message.body;
      if (task.command?.value === ENDING_COMMAND) ending.add(task.task_id.value);
      else state.running.push({ agent, frameworkId: framework.id?.value ?? '', taskId: task.task_id.value });
      return update(agent, framework.id?.value ?? '', task.task_id.value, 'TASK_RUNNING');
    }
    case 'StatusUpdateAcknowledgementMessage': {
      state.counts.acknowledged++;
      const id = message.body.task_id.value;
      if (ending.delete(id)) update(agent, message.body.framework_id.value, id, 'TASK_FINISHED');
      return;
    }
    default:
      return;
  }
}

/** Tasks that end once their TASK_RUNNING is acknowledged. */
const ending = new Set<string>();

const ipOf = (at: number): string =>
  `127.${1 + Math.floor(at / 65_024)}.${Math.floor(at / 254) % 256}.${1 + (at % 254)}`;

async function open(order: Extract<EmulatorOrder, { kind: 'open' }>): Promise<void> {
  const { first, count, perAddress } = order;
  state.master = pidOf('master', order.master);
  for (let at = first; at < first + count; at += perAddress) {
    const own = new Map<string, Agent>();
    const peer = await openPeer({
      ip: ipOf(at),
      onMessage(actor, from, wireName, body) {
        const message = decodeMessage(wireName, body);
        const agent = own.get(actor);
        if (message.ok && agent !== undefined) receive(agent, from, message.value);
      },
    });
    state.peers.push(peer);
    for (let i = 1; i <= Math.min(perAddress, first + count - at); i++) {
      const actor = `slave(${i})`;
      const agent: Agent = { at: at + i - 1, actor, peer, id: undefined, registered: false, firstSentMs: 0, tasks: [] };
      own.set(actor, agent);
      state.agents.push(agent);
    }
  }
  send({ kind: 'opened' });
}

function begin(): void {
  state.counts.registered = 0;
  state.wave = { beganMs: wall(), endedMs: 0 };
}

const portOf = ({ peer }: Agent): number => Number(peer.address.slice(peer.address.indexOf(':') + 1));

function register(): void {
  begin();
  for (const agent of state.agents) {
    const body = registration(agentInfo(agent.at, portOf(agent)));
    agent.peer.send(agent.actor, state.master, { name: 'RegisterAgentMessage', body });
  }
}

/** Sets the tasks that each agent reports when it re-registers. */
function assignTasks(frameworks: readonly FrameworkShare[]): void {
  state.frameworks = frameworks;
  for (const agent of state.agents) {
    agent.tasks = frameworks.flatMap(({ info, tasksPerAgent }) =>
      Array.from({ length: tasksPerAgent }, (_, at) =>
        runningTask(`task-${agent.at}-${info.name}-${at}`, agent.id ?? '', info.id?.value ?? ''),
      ),
    );
  }
  send({ kind: 'assigned' });
}

function reregister(master: string): void {
  state.master = pidOf('master', master);
  begin();
  for (const agent of state.agents) {
    agent.registered = false;
    agent.peer.disconnect();
    sendReregistration(agent);
  }
}

function sendReregistration(agent: Agent): void {
  const infos = state.frameworks.map(({ info }) => info);
  const used = infos.filter(({ id }) => agent.tasks.some((task) => task.framework_id.value === id?.value));
  const body = reregistration(agentInfo(agent.at, portOf(agent), agent.id), agent.tasks, used);
  agent.peer.send(agent.actor, state.master, { name: 'ReregisterAgentMessage', body });
}

function follow({ address, sessionTimeoutMs }: Extract<EmulatorOrder, { kind: 'follow' }>): void {
  const coordinator = coordinatorAt(address);
  if (!coordinator.ok) throw new Error(coordinator.error);
  coordinator.value({ sessionTimeoutMs, warn: console.error }).watch((leader) => {
    const read = leader && readElectedMaster(leader.info);
    if (!read?.ok || read.value.pid === state.master) return;
    state.master = read.value.pid as Pid;
    state.returns.detectedMs = wall();
    begin();
    for (const agent of state.agents) {
      agent.registered = false;
      agent.peer.disconnect();
      attempt(agent, 0, 0);
    }
  });
  send({ kind: 'following' });
}

/** Re-registers after a pause, again and again until it is answered. */
function attempt(agent: Agent, attempts: number, firstSentMs: number): void {
  const pauseMs = backoffPauseMs(BACKOFF, attempts, RANDOM);
  setTimeout(() => {
    if (agent.registered) return;
    const sentMs = attempts === 0 ? wall() : firstSentMs;
    agent.firstSentMs = sentMs;
    sendReregistration(agent);
    attempt(agent, attempts + 1, sentMs);
  }, pauseMs);
}

function reportReturn(): void {
  const { isAwaited, ...returns } = state.returns;
  if (isAwaited && returns.answeredMs.length === state.agents.length) send({ kind: 'returned', ...returns });
}

function count(): void {
  const sum = (of: 'messages' | 'bytes'): number => state.peers.reduce((total, { sent }) => total + sent[of], 0);
  send({ kind: 'counts', ...state.counts, messages: sum('messages'), bytes: sum('bytes') });
}

const SEND_INTERVAL_MS = 10;
/** A prime number, so that successive updates come from different agents. */
const STRIDE = 7919;

function sendUpdates(perSecond: number, forMs: number, message: string): void {
  const begunMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const passedMs = Math.min(forMs, performance.now() - begunMs);
    for (; sent < (passedMs * perSecond) / 1000; sent++) {
      const task = state.running[(sent * STRIDE) % state.running.length];
      const healthy = Math.floor(sent / state.running.length) % 2 === 0;
      if (task !== undefined) update(task.agent, task.frameworkId, task.taskId, 'TASK_RUNNING', { healthy, message });
    }
    if (passedMs < forMs) return;
    clearInterval(timer);
    send({ kind: 'updatesSent' });
  }, SEND_INTERVAL_MS);
}

process.on('message', (order: EmulatorOrder) => {
  if (order.kind === 'open') void open(order);
  if (order.kind === 'register') register();
  if (order.kind === 'assignTasks') assignTasks(order.frameworks);
  if (order.kind === 'reregister') reregister(order.master);
  if (order.kind === 'follow') follow(order);
  if (order.kind === 'awaitReturn') {
    state.returns.isAwaited = true;
    reportReturn();
  }
  if (order.kind === 'count') count();
  if (order.kind === 'sendUpdates') sendUpdates(order.perSecond, order.forMs, order.message);
});
process.on('disconnect', () => process.exit(0));
