// The commands of scenarios.
import { parseDuration } from '@meseta/base';
import type { MasterOptions } from '@meseta/master/core/options';
import type { ExecutorInfo, MasterCall, Offer, SchedulerCall, TaskInfo } from '@meseta/wire';
import { createAgentNode } from '../nodes/agent.js';
import { createMemory, type Memory } from '../nodes/framework-memory.js';
import { transmitRequest } from '../nodes/http.js';
import { ELECTION } from '../nodes/leader-views.js';
import { startScheduler } from '../nodes/scheduler.js';
import { scalar } from '../schedulers/framework-plan.js';
import type { Command } from './parse.js';
import { show } from './show.js';
import { type Actor, createStage, type Stage } from './stage.js';

type Run = (stage: Stage, command: Command) => void;

const word = ({ name, words }: Command, at: number): string => {
  const found = words[at];
  if (found === undefined) throw new Error(`${name}: a word is missing`);
  return found;
};

const milliseconds = (text: string): number => {
  const parsed = parseDuration(text.replace(/(\d)s$/, '$1secs').replace(/(\d)m$/, '$1mins'));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

const durationOf = ({ settings }: Command, name: string, otherwise: string): number =>
  milliseconds(settings.get(name) ?? otherwise);

const numberOf = ({ settings }: Command, name: string, otherwise: number): number =>
  Number(settings.get(name) ?? otherwise);

/** The framework of that name that the leading master recovered from an agent. */
function recoveredFrameworkId(stage: Stage, command: Command): string {
  const frameworks = [...(stage.masters.leader()?.core.state.frameworks.values() ?? [])];
  const found = frameworks.find(({ info, status }) => info.name === word(command, 0) && status === 'recovered');
  if (found === undefined)
    throw new Error(`${command.name}: the leading master recovered no framework ${word(command, 0)}`);
  return found.id;
}

function actorOf(stage: Stage, command: Command): Actor {
  const actor = stage.frameworks.get(word(command, 0));
  if (actor === undefined) throw new Error(`${command.name}: no framework ${word(command, 0)}`);
  return actor;
}

function nodeOf(stage: Stage, command: Command) {
  const node = stage.agents.get(word(command, 0));
  if (node === undefined) throw new Error(`${command.name}: no agent ${word(command, 0)}`);
  return node;
}

/** The settings of the first command, `cluster`. */
export function openStage(command: Command): Stage {
  const options: Partial<MasterOptions> = {
    agentReregisterTimeoutMs: durationOf(command, 'reregister', '10m'),
    offerTimeoutMs: command.settings.has('offers') ? durationOf(command, 'offers', '') : undefined,
  };
  return createStage(options, numberOf(command, 'masters', 1));
}

function addAgent(stage: Stage, command: Command): void {
  const index = stage.agents.size;
  const size = {
    cpus: numberOf(command, 'cpus', 4),
    mem: numberOf(command, 'mem', 1024),
    disk: numberOf(command, 'disk', 1024),
  };
  stage.agents.set(
    word(command, 0),
    createAgentNode({ world: stage.world, masters: stage.masters, index, size, rate: 1 }),
  );
  pass(stage, 5_000);
}

function addFramework(stage: Stage, command: Command): void {
  const name = word(command, 0);
  startProcess(stage, command, name, createMemory(), undefined);
  pass(stage, 2_000);
}

function startProcess(stage: Stage, command: Command, name: string, memory: Memory, before: Actor | undefined): void {
  const { settings } = command;
  const processes = before?.processes ?? 0;
  const role = before?.role ?? settings.get('role') ?? 'web';
  const speaks = before?.speaks ?? (settings.get('speaks') as Actor['speaks'] | undefined) ?? 'http';
  const client = startScheduler({
    world: stage.world,
    masters: stage.masters,
    name: processes === 0 ? name : `${name}.${processes}`,
    address: `10.0.3.${stage.frameworks.size + 1}:${8000 + processes}`,
    memory,
    info: before?.client.info ?? {
      user: 'root',
      name,
      failover_timeout: durationOf(command, 'failover', '60s') / 1000,
      checkpoint: settings.get('checkpoint') !== 'no',
      roles: [role],
      capabilities: [
        ...(settings.get('aware') === 'no' ? [] : ([{ type: 'PARTITION_AWARE' }] as const)),
        { type: 'TASK_KILLING_STATE' },
        { type: 'MULTI_ROLE' },
        { type: 'RESERVATION_REFINEMENT' },
      ],
    },
    acknowledges: settings.get('acknowledges') !== 'no',
    reconciles: false,
    speaks,
    script: {
      disconnected: (gone) => {
        stage.lines.push(`${gone.name}: disconnected`);
      },
    },
  });
  const actor: Actor = {
    client,
    role,
    offers: [],
    processes: processes + 1,
    executors: before?.executors ?? new Map(),
    speaks,
  };
  stage.frameworks.set(name, actor);
}

const pass = (stage: Stage, ms: number): void => stage.world.timeline.runUntil(stage.world.timeline.nowMs() + ms);

/** The newest offer of an agent (of any, if none is named). */
function takeOffer(stage: Stage, actor: Actor, agent: string | undefined): Offer {
  const at = actor.offers.findLastIndex((it) => agent === undefined || stage.nameOf(it.agent_id.value) === agent);
  const [offer] = at < 0 ? [] : actor.offers.splice(at, 1);
  if (offer === undefined) throw new Error(`no offer of ${agent ?? 'any agent'} is open`);
  return offer;
}

const commandOf = (command: Command): string => {
  const { settings } = command;
  const run = settings.has('run') ? `run ${durationOf(command, 'run', '')}` : '';
  const words = [run, ...(settings.has('exit') ? [`exit ${settings.get('exit')}`] : []), settings.get('like') ?? ''];
  return words.filter((it) => it !== '').join(' ');
};

const taskFor = (actor: Actor, offer: Offer, command: Command, id: string): TaskInfo => ({
  name: id,
  task_id: { value: id },
  agent_id: offer.agent_id,
  resources: [
    scalar('cpus', numberOf(command, 'cpus', 1), actor.role),
    scalar('mem', numberOf(command, 'mem', 64), actor.role),
  ],
});

/** A framework's own executor, as an earlier `executor` described it, or the default one. */
function executorOf(actor: Actor, command: Command, id: string): ExecutorInfo {
  const behaviour = actor.executors.get(id);
  const grace = command.settings.has('grace') ? durationOf(command, 'grace', '') : undefined;
  return {
    type: behaviour === undefined ? 'DEFAULT' : 'CUSTOM',
    executor_id: { value: id },
    framework_id: { value: actor.client.memory.frameworkId ?? '' },
    resources: [scalar('cpus', 0.5, actor.role), scalar('mem', 64, actor.role), scalar('disk', 8, actor.role)],
    ...(behaviour === undefined ? {} : { command: { value: behaviour } }),
    ...(grace === undefined ? {} : { shutdown_grace_period: { nanoseconds: grace * 1e6 } }),
  };
}

function launch(stage: Stage, command: Command): void {
  const actor = actorOf(stage, command);
  const offer = takeOffer(stage, actor, command.settings.get('on'));
  const under = command.settings.get('under');
  const tasks = command.words.slice(1).map((id): TaskInfo => {
    const task = taskFor(actor, offer, command, id);
    if (under === undefined) return { ...task, command: { value: commandOf(command) } };
    return { ...task, executor: executorOf(actor, command, under), data: btoa(commandOf(command)) };
  });
  actor.client.launch([offer], tasks);
  pass(stage, 1_000);
}

/** `pod f p one two`: both tasks in one pod. Settings of one task are written behind it: `two:exit=3`. */
function launchPod(stage: Stage, command: Command): void {
  const actor = actorOf(stage, command);
  const offer = takeOffer(stage, actor, command.settings.get('on'));
  const executor = executorOf(actor, command, word(command, 1));
  const tasks = command.words.slice(2).map((id): TaskInfo => {
    const own = [...command.settings].flatMap(([name, value]) =>
      name.startsWith(`${id}:`) ? [[name.slice(id.length + 1), value] as const] : [],
    );
    const settings = new Map([...command.settings, ...own]);
    return { ...taskFor(actor, offer, command, id), command: { value: commandOf({ ...command, settings }) } };
  });
  actor.client.accept([offer], [{ type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks } } }]);
  pass(stage, 1_000);
}

/** The agent and executor that a message or a shutdown is for. */
const executorAt = (stage: Stage, command: Command) => {
  const node = stage.agents.get(command.settings.get('on') ?? '');
  const agent_id = { value: node?.core?.state.info.id?.value ?? '' };
  return { agent_id, executor_id: { value: word(command, 1) } };
};

const called =
  (make: (stage: Stage, command: Command, actor: Actor) => Partial<SchedulerCall>): Run =>
  (stage, command) => {
    const actor = actorOf(stage, command);
    const { name } = actor.client;
    actor.client.call(make(stage, command, actor), (status) => {
      if (status === undefined || status >= 400) stage.lines.push(`${name}: answered ${status ?? 'nothing'}`);
    });
    pass(stage, 1_000);
  };

const operated =
  (make: (stage: Stage, command: Command) => MasterCall): Run =>
  (stage, command) => {
    const leader = stage.masters.leader();
    if (leader === undefined) throw new Error('no master leads');
    const call = make(stage, command);
    const end = stage.world.network.connect('10.0.4.1:9000', leader.machine.address, 'http', {
      data: (answer) => {
        const { reply } = answer as { readonly reply?: { readonly status: number } };
        stage.lines.push(`operator: ${call.type} answered ${reply?.status}`);
      },
      ended: () => {},
    });
    end.write(transmitRequest({ kind: 'operatorCall', call }, true));
    pass(stage, 1_000);
  };

const agentIdOf = (stage: Stage, command: Command) => ({
  value: nodeOf(stage, command).core?.state.info.id?.value ?? '',
});

const taskIds = (command: Command) => command.words.slice(1).map((value) => ({ task_id: { value } }));

function cutOff(stage: Stage, command: Command): void {
  const { address } = nodeOf(stage, command).machine;
  for (const { address: master } of stage.masters.machines) {
    if (command.settings.get('way') !== 'in') stage.world.network.cut(address, master);
    if (command.settings.get('way') !== 'out') stage.world.network.cut(master, address);
  }
}

function failOver(stage: Stage, command: Command): void {
  const name = word(command, 0);
  const actor = actorOf(stage, command);
  startProcess(stage, command, name, actor.client.memory, actor);
  pass(stage, 2_000);
}

const filtersOf = (command: Command) =>
  command.settings.has('filter') ? { filters: { refuse_seconds: durationOf(command, 'filter', '') / 1000 } } : {};

const schedulers: Readonly<Record<string, Run>> = {
  framework: addFramework,
  launch,
  pod: launchPod,
  executor(stage, command) {
    const does = command.words.slice(2).map((it) => it.replace(':', ' '));
    actorOf(stage, command).executors.set(word(command, 1), ['executor', ...does].join(' '));
  },
  message: called((stage, command) => ({
    type: 'MESSAGE',
    message: { ...executorAt(stage, command), data: btoa(word(command, 2)) },
  })),
  'shut-down': called((stage, command) => ({ type: 'SHUTDOWN', shutdown: executorAt(stage, command) })),
  failover: failOver,
  decline: called((_stage, command, actor) => ({
    type: 'DECLINE',
    decline: { offer_ids: actor.offers.splice(0).map(({ id }) => id), ...filtersOf(command) },
  })),
  revive: called(() => ({ type: 'REVIVE' })),
  suppress: called(() => ({ type: 'SUPPRESS' })),
  teardown: called(() => ({ type: 'TEARDOWN' })),
  kill: called((_stage, command) => ({ type: 'KILL', kill: { task_id: { value: word(command, 1) } } })),
  reconcile: called((_stage, command) => ({ type: 'RECONCILE', reconcile: { tasks: taskIds(command) } })),
  reserve: called((stage, command, actor) => {
    const offer = takeOffer(stage, actor, command.settings.get('on'));
    const resources = (['cpus', 'mem'] as const)
      .filter((name) => command.settings.has(name))
      .map((name) => ({
        ...scalar(name, numberOf(command, name, 0), actor.role),
        reservations: [{ type: 'DYNAMIC' as const, role: actor.role }],
      }));
    const id = { value: command.settings.get('id') ?? 'reserve' };
    return {
      type: 'ACCEPT',
      accept: { offer_ids: [offer.id], operations: [{ type: 'RESERVE', id, reserve: { resources } }] },
    };
  }),
  disconnect: (stage, command) => actorOf(stage, command).client.disconnect(durationOf(command, 'for', '5s')),
  'kill-framework': (stage, command) => actorOf(stage, command).client.kill(),
  acknowledge: (stage, command) => {
    actorOf(stage, command).client.acknowledges = word(command, 1) === 'on';
  },
};

const machines: Readonly<Record<string, Run>> = {
  agent: addAgent,
  'kill-agent': (stage, command) => nodeOf(stage, command).crash('killed', durationOf(command, 'for', '5s')),
  'power-off': (stage, command) => nodeOf(stage, command).crash('powerOff', durationOf(command, 'for', '30s')),
  leave: (stage, command) => nodeOf(stage, command).push({ kind: 'leave', message: 'asked to' }),
  pause: (stage, command) => {
    nodeOf(stage, command).machine.pausedUntilMs = stage.world.timeline.nowMs() + durationOf(command, 'for', '10s');
  },
  cut: cutOff,
  heal: (stage) => stage.world.network.healAll(),
  break: (stage, command) => {
    for (const { address } of stage.masters.machines)
      stage.world.network.breakConnections(address, nodeOf(stage, command).machine.address);
  },
  'kill-master': (stage, command) => {
    const leader = stage.masters.leader()?.machine;
    stage.masters.crash(
      leader === undefined ? 0 : stage.masters.machines.indexOf(leader),
      'reset',
      durationOf(command, 'for', '3s'),
    );
  },
  'cut-master': (stage) => {
    const leader = stage.masters.leader()?.machine;
    if (leader !== undefined) stage.world.network.cut(leader.address, ELECTION);
  },
  wait: (stage, command) => pass(stage, milliseconds(word(command, 0))),
  show,
};

const operators: Readonly<Record<string, Run>> = {
  drain: operated((stage, command) => ({
    type: 'DRAIN_AGENT',
    drain_agent: {
      agent_id: agentIdOf(stage, command),
      max_grace_period: { seconds: numberOf(command, 'grace', 2) },
      ...(command.settings.get('gone') === 'yes' ? { mark_gone: true } : {}),
    },
  })),
  deactivate: operated((stage, command) => ({
    type: 'DEACTIVATE_AGENT',
    deactivate_agent: { agent_id: agentIdOf(stage, command) },
  })),
  reactivate: operated((stage, command) => ({
    type: 'REACTIVATE_AGENT',
    reactivate_agent: { agent_id: agentIdOf(stage, command) },
  })),
  'mark-gone': operated((stage, command) => ({
    type: 'MARK_AGENT_GONE',
    mark_agent_gone: { agent_id: agentIdOf(stage, command) },
  })),
  'tear-down': operated((stage, command) => ({
    type: 'TEARDOWN',
    teardown: { framework_id: { value: recoveredFrameworkId(stage, command) } },
  })),
  quota: operated((_stage, command) => ({
    type: 'UPDATE_QUOTA',
    update_quota: {
      force: true,
      quota_configs: [
        {
          role: word(command, 0),
          ...(command.settings.has('guarantee')
            ? { guarantees: { cpus: { value: numberOf(command, 'guarantee', 0) } } }
            : {}),
          ...(command.settings.has('limit') ? { limits: { cpus: { value: numberOf(command, 'limit', 0) } } } : {}),
        },
      ],
    },
  })),
  maintain: operated((stage, command) => {
    const { machine } = nodeOf(stage, command);
    const id = { hostname: machine.name, ip: machine.address.split(':')[0] ?? '' };
    const unavailability = { start: { nanoseconds: 1_800_000_000_000_000_000n } };
    const schedule = { windows: [{ machine_ids: [id], unavailability }] };
    return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule } };
  }),
  'take-down': operated((stage, command) => {
    const { machine } = nodeOf(stage, command);
    const machines = [{ hostname: machine.name, ip: machine.address.split(':')[0] ?? '' }];
    return { type: 'START_MAINTENANCE', start_maintenance: { machines } };
  }),
};

export function runCommand(stage: Stage, command: Command): void {
  const run = schedulers[command.name] ?? machines[command.name] ?? operators[command.name];
  if (run === undefined) throw new Error(`no command ${command.name}`);
  run(stage, command);
}
