// The scripted frameworks: how each kind handles offers, updates and its connection.

import type { FrameworkInfo, Offer } from '@meseta/wire';
import { between, happens, pick } from '../engine/chance.js';
import { createMemory, isAlive, type Memory } from '../nodes/framework-memory.js';
import type { Masters } from '../nodes/masters.js';
import { type SchedulerClient, type SchedulerOptions, type Script, startScheduler } from '../nodes/scheduler.js';
import type { World } from '../world.js';
import type { Activity, FrameworkPlan } from './framework-plan.js';
import { createLauncher, startMessaging, startReconciling } from './launcher.js';
import { createReserver } from './reserver.js';
import { createSharer } from './sharer.js';
import { roomIn, tasksIn } from './tasks.js';

export interface Framework {
  readonly name: string;
  readonly plan: FrameworkPlan;
  readonly memory: Memory;
  /** Its processes so far; the last is the newest. */
  readonly clients: SchedulerClient[];
  /** From now on it launches no tasks, kills none and keeps its connection. */
  quiesce(): void;
}

export function startFramework(world: World, masters: Masters, index: number, plan: FrameworkPlan): Framework {
  const name = `${plan.kind}-${index}`;
  const memory = createMemory();
  const activity: Activity = { isQuiesced: false };
  const script = scriptOf(plan, activity);
  const clients: SchedulerClient[] = [];
  const startClient = (): SchedulerClient => {
    const number = clients.length;
    const options: SchedulerOptions = {
      world,
      masters,
      name: number === 0 ? name : `${name}.${number}`,
      address: `10.0.3.${index + 1}:${8000 + number}`,
      memory,
      info: infoOf(name, plan),
      acknowledges: plan.kind !== 'silent',
      reconciles: true,
      speaks: plan.speaks,
      script,
    };
    const client = startScheduler(options);
    clients.push(client);
    if (plan.kind === 'disconnector') startDisconnecting(client, activity);
    if (plan.launches === 'executors') startMessaging(client, activity);
    if (plan.reconcilesAtRandom) startReconciling(client, activity);
    if (plan.kind !== 'hoarder' && plan.kind !== 'decliner') startKilling(client, activity);
    return client;
  };
  startClient();
  if (plan.kind === 'failover') {
    startFailovers(world, activity, clients, startClient);
    supervise(world, clients, startClient);
  }
  const quiesce = (): void => {
    activity.isQuiesced = true;
  };
  return { name, plan, memory, clients, quiesce };
}

const infoOf = (name: string, plan: FrameworkPlan): FrameworkInfo => ({
  user: 'root',
  name,
  failover_timeout: plan.failoverTimeoutMs / 1000,
  checkpoint: plan.checkpoint,
  capabilities: [
    { type: 'TASK_KILLING_STATE' },
    ...(plan.partitionAware ? ([{ type: 'PARTITION_AWARE' }] as const) : []),
    { type: 'MULTI_ROLE' },
    { type: 'RESERVATION_REFINEMENT' },
    ...(plan.kind === 'sharer' ? ([{ type: 'SHARED_RESOURCES' }] as const) : []),
  ],
  roles: [plan.role],
});

function scriptOf(plan: FrameworkPlan, activity: Activity): Script {
  switch (plan.kind) {
    case 'hoarder':
      return {};
    case 'decliner':
      return decliner(activity);
    case 'reserver':
      return createReserver(plan.role, activity);
    case 'sharer':
      return createSharer(plan, activity);
    default:
      return worker(plan, activity);
  }
}

const REFUSALS: readonly (number | undefined)[] = [undefined, 0, 1, 5, 30, 600];

function decline(client: SchedulerClient, offers: readonly Offer[], seconds: number | undefined): void {
  if (offers.length === 0) return;
  const filters = seconds === undefined ? {} : { filters: { refuse_seconds: seconds } };
  client.call({ type: 'DECLINE', decline: { offer_ids: offers.map(({ id }) => id), ...filters } });
}

const decliner = (activity: Activity): Script => ({
  offers: (client, offers) => decline(client, offers, activity.isQuiesced ? 600 : pick(client.random, REFUSALS)),
  subscribed(client) {
    client.every(40_000, () => {
      if (activity.isQuiesced || !client.connected) return;
      client.call({ type: happens(client.random, 0.7) ? 'REVIVE' : 'SUPPRESS' });
    });
  },
});

/** Launches tasks until it has enough alive, and declines what it doesn't need. */
function worker(plan: FrameworkPlan, activity: Activity): Script {
  const launcher = plan.launches === 'commands' ? undefined : createLauncher(plan);
  const missing = ({ memory }: SchedulerClient): number => {
    const alive = [...memory.tasks.values()].filter(isAlive).length;
    return activity.isQuiesced ? 0 : Math.min(plan.alive - alive, plan.total - memory.nextTask);
  };
  return {
    offers(client, offers) {
      const declined: Offer[] = [];
      for (const offer of offers) {
        const wanted = missing(client);
        const operations = launcher?.operationsFor(client, offer, wanted);
        const tasks = operations === undefined ? tasksIn(roomIn(offer), client, plan, offer, wanted) : [];
        if (tasks.length > 0) client.launch([offer], tasks);
        else if (operations !== undefined && operations.length > 0) client.accept([offer], operations);
        else declined.push(offer);
      }
      decline(
        client,
        declined,
        activity.isQuiesced || happens(client.random, 0.5) ? 600 : pick(client.random, REFUSALS),
      );
    },
    updated(client) {
      if (missing(client) > 0) client.call({ type: 'REVIVE' });
    },
    subscribed(client) {
      if (plan.kind === 'keeper') killSurplus(client, plan);
    },
  };
}

/** A service keeper kills surplus tasks: a lost task that it replaced may have come back. */
function killSurplus(client: SchedulerClient, plan: FrameworkPlan): void {
  client.every(20_000, () => {
    const running = [...client.memory.tasks.values()].filter((task) => isAlive(task) && !task.killed);
    for (const task of running.slice(plan.alive)) killTask(client, task.id, task.agentId);
  });
}

function killTask(client: SchedulerClient, taskId: string, agentId: string): void {
  const view = client.memory.tasks.get(taskId);
  if (view !== undefined) view.killed = true;
  client.call({ type: 'KILL', kill: { task_id: { value: taskId }, agent_id: { value: agentId } } });
}

function startKilling(client: SchedulerClient, activity: Activity): void {
  client.every(20_000, () => {
    const alive = [...client.memory.tasks.values()].filter(isAlive);
    if (activity.isQuiesced || alive.length === 0 || !happens(client.random, 0.5)) return;
    const task = pick(client.random, alive);
    killTask(client, task.id, task.agentId);
  });
}

function startDisconnecting(client: SchedulerClient, activity: Activity): void {
  client.every(47_000, () => {
    if (!activity.isQuiesced) client.disconnect(between(client.random, 100, 20_000));
  });
}

/**
 * Starts new processes of the framework. An old one may keep running for a while and send calls as if it were current. It
 * dies if the framework has no id yet: the new process would subscribe as another framework, and the master would never
 * replace the old one.
 */
function startFailovers(
  world: World,
  activity: Activity,
  clients: SchedulerClient[],
  startClient: () => SchedulerClient,
): void {
  const random = world.random(`failover ${clients[0]?.name}`);
  const next = (): void => {
    world.timeline.after(between(random, 30_000, 120_000), () => {
      if (activity.isQuiesced) return;
      const old = clients.at(-1) as SchedulerClient;
      if (happens(random, 0.5) || old.memory.frameworkId === undefined) old.kill();
      else old.every(4_000, () => actAsReplacedProcess(old, clients));
      startClient();
      next();
    });
  };
  next();
}

const SUPERVISION_MS = 30_000;

/**
 * Starts a process when all have been replaced. Drivers repeat their registration until it is answered. If several do so
 * while the master is paused, it then takes each in turn for the successor of the one before, and all of them end.
 */
function supervise(world: World, clients: readonly SchedulerClient[], startClient: () => SchedulerClient): void {
  world.timeline.after(SUPERVISION_MS, () => {
    if (clients.every(({ replaced, stopped }) => replaced || stopped)) {
      world.count('frameworks started again by their supervisor');
      startClient();
    }
    supervise(world, clients, startClient);
  });
}

function actAsReplacedProcess(old: SchedulerClient, clients: readonly SchedulerClient[]): void {
  if (clients.at(-1)?.connected !== true) return;
  const alive = [...old.memory.tasks.values()].filter(isAlive);
  if (alive.length > 0) {
    const task = pick(old.random, alive);
    old.call({ type: 'KILL', kill: { task_id: { value: task.id }, agent_id: { value: task.agentId } } });
  }
  old.call({ type: 'SUPPRESS' });
}
