// The cluster of a scenario, whose agents and frameworks have the names of the script, and the transcript: the events that
// schedulers receive, the registry's writes, and agents that are removed. It has no times: the order matters.
import { DEFAULT_MASTER_OPTIONS, type MasterOptions } from '@meseta/master/core/options';
import { formatResources, unallocate } from '@meseta/resources';
import type { ExecutorEvent, Offer, SchedulerEvent, TaskStatus } from '@meseta/wire';
import { createCheckers } from '../checkers/all.js';
import { QUIET_NETWORK } from '../engine/network.js';
import type { AgentNode } from '../nodes/agent.js';
import { createMasters, type Masters } from '../nodes/masters.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import { planOf } from '../run/plan.js';
import { createWorld, type World } from '../world.js';

export interface Actor {
  client: SchedulerClient;
  readonly role: string;
  /** Its outstanding offers, oldest first. */
  offers: Offer[];
  processes: number;
  /** The commands of its executors, by id. */
  readonly executors: Map<string, string>;
  readonly speaks: 'http' | 'driver' | 'oldDriver';
}

export interface Stage {
  readonly world: World;
  readonly masters: Masters;
  readonly agents: Map<string, AgentNode>;
  readonly frameworks: Map<string, Actor>;
  readonly lines: string[];
  /** The name that the script knows an agent by. */
  nameOf(agentId: string | undefined): string;
}

export function createStage(options: Partial<MasterOptions>, masterCount: number): Stage {
  const world = createWorld({ seed: 1, encoded: true, network: QUIET_NETWORK });
  const merged = { ...DEFAULT_MASTER_OPTIONS, ...options };
  const masters = createMasters(world, masterCount, merged, []);
  const agents = new Map<string, AgentNode>();
  const ids = new Map<string, string>();
  const stage: Stage = {
    world,
    masters,
    agents,
    frameworks: new Map(),
    lines: [],
    nameOf(agentId) {
      const registered = masters.leader()?.core.state.agents.registered;
      for (const [name, { core, pid }] of agents) {
        const id = core?.state.info.id?.value;
        if (id !== undefined) ids.set(id, name);
        for (const agent of registered?.values() ?? []) if (agent.pid === pid) ids.set(agent.id, name);
      }
      return ids.get(agentId ?? '') ?? 'an agent';
    },
  };
  const plan = {
    ...planOf(1),
    pingTimeoutMs: merged.agentPingTimeoutMs,
    pings: merged.maxAgentPingTimeouts,
    reregisterTimeoutMs: merged.agentReregisterTimeoutMs,
  };
  const cluster = { world, plan, masters, agents: new Map(), frameworks: new Map(), refused: new Map() };
  world.observers.push(...createCheckers(cluster).observers, transcriber(stage));
  return stage;
}

const transcriber = (stage: Stage): World['observers'][number] => ({
  registryWritten(operations) {
    for (const { kind, ...rest } of operations) {
      const named = 'agentId' in rest ? rest.agentId : undefined;
      if (kind === 'recordMaster') continue;
      stage.lines.push(
        `registry: ${kind}${named === undefined || kind === 'admitAgent' ? '' : ` ${stage.nameOf(named)}`}`,
      );
    }
  },
  masterStepped(master, _input, effects) {
    for (const effect of effects) {
      if (effect.kind !== 'note') continue;
      const { note } = effect;
      if (note.kind === 'agentRemoved')
        stage.lines.push(`${master.name}: ${stage.nameOf(note.agentId)} is ${note.why}`);
    }
  },
  executorReceived({ name }, event) {
    const what = executorEventText(event);
    if (what !== undefined)
      stage.lines.push(
        `${name.replace(/@agent-(\d+)$/, (_, at) => ` on ${[...stage.agents.keys()][Number(at)]}`)}: ${what}`,
      );
  },
  schedulerReceived(client, event) {
    const name = client.name.split('.')[0] ?? '';
    const actor = stage.frameworks.get(name);
    if (actor !== undefined && event.type !== 'HEARTBEAT') transcribeEvent(stage, client.name, actor, event);
  },
});

function transcribeEvent(stage: Stage, name: string, actor: Actor, event: SchedulerEvent): void {
  if (event.offers !== undefined) actor.offers.push(...(event.offers.offers ?? []));
  const rescinded = event.rescind?.offer_id.value;
  if (rescinded !== undefined) {
    const offer = actor.offers.find(({ id }) => id.value === rescinded);
    actor.offers = actor.offers.filter((it) => it !== offer);
    stage.lines.push(`${name}: RESCIND of ${stage.nameOf(offer?.agent_id.value)}`);
  } else if (event.type === 'SUBSCRIBED') {
    actor.offers = [];
    stage.lines.push(`${name}: SUBSCRIBED`);
  } else for (const line of textOf(stage, event)) stage.lines.push(`${name}: ${line}`);
}

function textOf(stage: Stage, event: SchedulerEvent): readonly string[] {
  if (event.offers !== undefined) {
    return (event.offers.offers ?? []).map(
      (offer) =>
        `OFFER of ${stage.nameOf(offer.agent_id.value)}: ${formatResources(unallocate(offer.resources ?? []))}` +
        (offer.unavailability === undefined ? '' : ' (to be unavailable)'),
    );
  }
  if (event.update !== undefined) return [`UPDATE ${statusText(event.update.status)}`];
  if (event.failure !== undefined) {
    const { agent_id, executor_id, status } = event.failure;
    const at = stage.nameOf(agent_id?.value);
    return [
      executor_id === undefined ? `FAILURE of ${at}` : `FAILURE of ${executor_id.value} on ${at}, status ${status}`,
    ];
  }
  if (event.message !== undefined) {
    const { executor_id, agent_id, data } = event.message;
    return [`MESSAGE of ${executor_id.value} on ${stage.nameOf(agent_id.value)}: ${atob(data)}`];
  }
  if (event.error !== undefined) return [`ERROR ${event.error.message.replace(/[0-9a-f-]{36}-\d+/g, 'ID')}`];
  const operation = event.update_operation_status?.status;
  if (operation !== undefined) return [`OPERATION ${operation.operation_id?.value} ${operation.state}`];
  return [event.type ?? 'UNKNOWN'];
}

/** Undefined for heartbeats and acknowledgements. */
function executorEventText({ type, launch, launch_group, kill, message }: ExecutorEvent): string | undefined {
  if (type === 'HEARTBEAT' || type === 'ACKNOWLEDGED') return undefined;
  const task = launch?.task.task_id ?? kill?.task_id;
  const tasks = task === undefined ? (launch_group?.task_group.tasks ?? []).map((it) => it.task_id) : [task];
  const words = [type, ...tasks.map(({ value }) => value), ...(message === undefined ? [] : [atob(message.data)])];
  return words.join(' ');
}

/** Only updates of agents have a uuid. */
function statusText({ task_id, state, reason, uuid, source }: TaskStatus): string {
  const why = reason === undefined ? '' : ` ${reason.replace('REASON_', '')}`;
  const from = source === 'SOURCE_MASTER' ? 'master' : 'agent';
  return `${task_id.value} ${state}${why} (${from}${uuid === undefined ? '' : ', to acknowledge'})`;
}
