// A broken invariant ends the master, so nothing that comes from outside may break one. Every message that an agent or a
// driver sends and every call of a scheduler and an operator is valid here at first. Then hostile values replace its fields,
// one at a time. The core handles each, and all that it sends can be encoded. scripts/invariants/invariants.ts lists the
// assertions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, present } from '@meseta/base';
import type { Codec, LibprocessMessage, MasterCall, SchedulerCall } from '@meseta/wire';
import * as codecs from '@meseta/wire/codecs';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import { hostileValues, writeJson } from '@meseta/wire/testing/hostile-values';
import { createSchemaPlaces, type Plain } from '@meseta/wire/testing/schema-places';
import { createWorld, type TestAgent, type TestScheduler, task, type World } from './testing.js';

const places = createSchemaPlaces();
/** Fields that are deeper are in records that other messages have at a smaller depth. */
const MAX_DEPTH = 6;
/** Each field gets one in so many of the hostile values; the next field gets others. */
const ONE_IN = 3;

interface Scene {
  readonly world: World;
  readonly agent: TestAgent;
  readonly scheduler: TestScheduler;
}

const role = 'eng';
const reservations = [{ type: 'DYNAMIC', role }];
const scalar = (name: string, value: number, more: Plain = {}) => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const allocated = { allocation_info: { role } };
const id = (value: string) => ({ value });

/** A framework with a task on an agent and an offer. */
function createScene(): Scene {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({
    roles: [role],
    failover_timeout: 1000,
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'PARTITION_AWARE' }],
  });
  world.wait(1000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_RUNNING');
  world.wait(6000);
  return { world, agent, scheduler };
}

/** A valid message or call, whose fields get hostile values. */
interface Subject {
  /** Unique, for the title of the test. */
  readonly what: string;
  readonly message: string;
  plain(scene: Scene): Plain;
  /** Returns false if the JSON cannot be read as this message. */
  send(scene: Scene, json: string): boolean;
}

type MessageName = LibprocessMessage['name'];

const messageOf = (
  name: MessageName,
  codec: Codec<unknown>,
  plain: (scene: Scene) => Plain,
  from: (scene: Scene) => Pid = ({ agent }) => agent.pid,
): Subject => ({
  what: name,
  message: name === 'SchedulerCall' ? 'SchedulerV0Call' : name,
  plain,
  send(scene, json) {
    const read = codec.parse(json);
    if (!read.ok) return false;
    const message = { name, body: read.value } as LibprocessMessage;
    scene.world.feed({ kind: 'message', from: from(scene), message });
    return true;
  },
});

const schedulerCallOf = (type: SchedulerCall['type'], body: (scene: Scene) => Plain): Subject => ({
  what: `${type} of a scheduler`,
  message: 'SchedulerCall',
  plain: (scene) => ({ framework_id: id(scene.scheduler.id), type, ...body(scene) }),
  send({ world, scheduler }, json) {
    const read = codecs.SchedulerCallCodec.parse(json);
    if (read.ok) world.scheduler(read.value, scheduler.stream);
    return read.ok;
  },
});

const operatorCallOf = (type: MasterCall['type'], body: (scene: Scene) => Plain): Subject => ({
  what: `${type} of an operator`,
  message: 'MasterCall',
  plain: (scene) => ({ type, ...body(scene) }),
  send({ world }, json) {
    const read = codecs.MasterCallCodec.parse(json);
    if (read.ok) world.operator(read.value);
    return read.ok;
  },
});

const agentIn = ({ agent }: Scene) => ({
  hostname: 'h',
  resources: [scalar('cpus', 4), scalar('mem', 4096)],
  id: id(agent.id),
});
const taskIn = ({ agent, scheduler }: Scene) => ({
  name: 't',
  task_id: id('t'),
  framework_id: id(scheduler.id),
  agent_id: id(agent.id),
  executor_id: id('e'),
  state: 'TASK_RUNNING',
  resources: [scalar('cpus', 1, allocated), scalar('mem', 32, allocated)],
  statuses: [{ task_id: id('t'), state: 'TASK_RUNNING', timestamp: 1 }],
});
const statusIn = ({ agent }: Scene) => ({
  task_id: id('t'),
  state: 'TASK_RUNNING',
  agent_id: id(agent.id),
  source: 'SOURCE_EXECUTOR',
  uuid: 'AAAAAAAAQACAAAAAAAAAAA==',
});
const operationStatus = {
  state: 'OPERATION_FINISHED',
  converted_resources: [scalar('cpus', 1, { ...allocated, reservations })],
};
const uuid = { value: 'AAAAAAAAQACAAAAAAAAAAA==' };
const operationIn = ({ agent, scheduler }: Scene) => ({
  framework_id: id(scheduler.id),
  agent_id: id(agent.id),
  info: { type: 'RESERVE', id: id('o'), reserve: { resources: [scalar('cpus', 1, { ...allocated, reservations })] } },
  latest_status: operationStatus,
  statuses: [operationStatus],
  uuid,
});
const driver = (): Pid => 'scheduler(1)@10.9.9.9:1' as Pid;
const infoIn = ({ scheduler }: Scene): Plain => ({
  user: 'u',
  name: 'n',
  roles: [role],
  id: id(scheduler.id),
  capabilities: [{ type: 'MULTI_ROLE' }],
});
const offerIn = ({ world, scheduler }: Scene): object => {
  world.wait(1000);
  const offers = scheduler.events.flatMap((event) => event.offers?.offers ?? []);
  return offers.at(-1)?.id ?? id('none');
};
const acceptOf = (what: string, operation: (scene: Scene) => Plain): Subject => ({
  ...schedulerCallOf('ACCEPT', (scene) => ({
    accept: { offer_ids: [offerIn(scene)], operations: [operation(scene)], filters: { refuse_seconds: 0 } },
  })),
  what: `ACCEPT of a scheduler with ${what}`,
});
const newTask = ({ agent }: Scene) => ({
  name: 'n',
  task_id: id('n'),
  agent_id: id(agent.id),
  command: { value: 'true' },
  resources: [scalar('cpus', 0.1, allocated), scalar('mem', 32, allocated)],
});
const reserved = (value: number) => scalar('cpus', value, { reservations });
const volume = scalar('disk', 1, {
  reservations,
  disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
});

const SUBJECTS: readonly Subject[] = [
  messageOf(
    'RegisterAgentMessage',
    codecs.RegisterAgentMessageCodec,
    () => ({
      agent: {
        hostname: 'new',
        resources: [scalar('cpus', 1)],
        attributes: [{ name: 'a', type: 'TEXT', text: { value: 'x' } }],
      },
      version: '1.11.0',
      checkpointed_resources: [reserved(1)],
      agent_capabilities: [{ type: 'MULTI_ROLE' }],
      resource_version_uuid: uuid,
    }),
    () => 'slave(1)@10.9.9.8:1' as Pid,
  ),
  messageOf('ReregisterAgentMessage', codecs.ReregisterAgentMessageCodec, (it) => ({
    agent: agentIn(it),
    version: '1.11.0',
    tasks: [taskIn(it)],
    executor_infos: [
      {
        executor_id: id('e'),
        framework_id: id(it.scheduler.id),
        command: { value: 'x' },
        resources: [scalar('cpus', 0.1, allocated)],
      },
    ],
    frameworks: [infoIn(it)],
    completed_frameworks: [{ framework_info: infoIn(it), tasks: [taskIn(it)] }],
    checkpointed_resources: [reserved(1), volume],
    agent_capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
    resource_version_uuid: uuid,
  })),
  messageOf('UpdateAgentMessage', codecs.UpdateAgentMessageCodec, (it) => ({
    agent_id: id(it.agent.id),
    update_oversubscribed_resources: true,
    oversubscribed_resources: [scalar('cpus', 2, { revocable: {} })],
    operations: { operations: [operationIn(it)] },
    resource_version_uuid: uuid,
    resource_providers: {
      providers: [
        {
          info: { id: id('p'), type: 't', name: 'n' },
          total_resources: [scalar('disk', 100, { provider_id: id('p') })],
          operations: { operations: [operationIn(it)] },
          resource_version_uuid: uuid,
        },
      ],
    },
  })),
  messageOf('StatusUpdateMessage', codecs.StatusUpdateMessageCodec, (it) => ({
    update: {
      framework_id: id(it.scheduler.id),
      agent_id: id(it.agent.id),
      status: statusIn(it),
      timestamp: 1,
      uuid: uuid.value,
      latest_state: 'TASK_RUNNING',
    },
    pid: it.agent.pid,
  })),
  messageOf('UpdateOperationStatusMessage', codecs.UpdateOperationStatusMessageCodec, (it) => ({
    framework_id: id(it.scheduler.id),
    agent_id: id(it.agent.id),
    status: operationStatus,
    latest_status: operationStatus,
    operation_uuid: uuid,
  })),
  messageOf('ExitedExecutorMessage', codecs.ExitedExecutorMessageCodec, (it) => ({
    agent_id: id(it.agent.id),
    framework_id: id(it.scheduler.id),
    executor_id: id('e'),
    status: 1,
  })),
  messageOf('ExecutorToFrameworkMessage', codecs.ExecutorToFrameworkMessageCodec, (it) => ({
    agent_id: id(it.agent.id),
    framework_id: id(it.scheduler.id),
    executor_id: id('e'),
    data: 'AAAA',
  })),
  messageOf('PongAgentMessage', codecs.PongAgentMessageCodec, () => ({})),
  messageOf('UnregisterAgentMessage', codecs.UnregisterAgentMessageCodec, (it) => ({ agent_id: id(it.agent.id) })),
  messageOf(
    'RegisterFrameworkMessage',
    codecs.RegisterFrameworkMessageCodec,
    () => ({ framework: { user: 'u', name: 'n', role } }),
    driver,
  ),
  messageOf(
    'ReregisterFrameworkMessage',
    codecs.ReregisterFrameworkMessageCodec,
    (it) => ({ framework: infoIn(it), failover: true }),
    driver,
  ),
  messageOf(
    'SchedulerCall',
    codecs.SchedulerV0CallCodec,
    (it) => ({ type: 'SUBSCRIBE', subscribe: { framework_info: infoIn(it), force: true } }),
    driver,
  ),
  schedulerCallOf('SUBSCRIBE', (it) => ({
    subscribe: { framework_info: { ...infoIn(it), offer_filters: { eng: {} } }, suppressed_roles: [role] },
  })),
  schedulerCallOf('UPDATE_FRAMEWORK', (it) => ({
    update_framework: { framework_info: infoIn(it), suppressed_roles: [] },
  })),
  acceptOf('LAUNCH', (it) => ({ type: 'LAUNCH', launch: { task_infos: [newTask(it)] } })),
  acceptOf('LAUNCH_GROUP', (it) => ({
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: id('d'),
        framework_id: id(it.scheduler.id),
        resources: [scalar('cpus', 0.1, allocated), scalar('mem', 32, allocated), scalar('disk', 1, allocated)],
      },
      task_group: { tasks: [newTask(it)] },
    },
  })),
  acceptOf('RESERVE', () => ({
    type: 'RESERVE',
    id: id('o'),
    reserve: { resources: [scalar('cpus', 1, { ...allocated, reservations })] },
  })),
  schedulerCallOf('DECLINE', (it) => ({ decline: { offer_ids: [offerIn(it)], filters: { refuse_seconds: 1 } } })),
  schedulerCallOf('REVIVE', () => ({ revive: { roles: [role] } })),
  schedulerCallOf('SUPPRESS', () => ({ suppress: { roles: [role] } })),
  schedulerCallOf('KILL', (it) => ({
    kill: { task_id: id('t'), agent_id: id(it.agent.id), kill_policy: { grace_period: { nanoseconds: 1 } } },
  })),
  schedulerCallOf('SHUTDOWN', (it) => ({ shutdown: { executor_id: id('t'), agent_id: id(it.agent.id) } })),
  schedulerCallOf('ACKNOWLEDGE', (it) => ({
    acknowledge: { agent_id: id(it.agent.id), task_id: id('t'), uuid: uuid.value },
  })),
  schedulerCallOf('RECONCILE', (it) => ({ reconcile: { tasks: [{ task_id: id('t'), agent_id: id(it.agent.id) }] } })),
  schedulerCallOf('RECONCILE_OPERATIONS', (it) => ({
    reconcile_operations: { operations: [{ operation_id: id('o'), agent_id: id(it.agent.id) }] },
  })),
  schedulerCallOf('MESSAGE', (it) => ({ message: { agent_id: id(it.agent.id), executor_id: id('t'), data: 'AAAA' } })),
  schedulerCallOf('REQUEST', (it) => ({
    request: { requests: [{ agent_id: id(it.agent.id), resources: [scalar('cpus', 1)] }] },
  })),
  operatorCallOf('RESERVE_RESOURCES', (it) => ({
    reserve_resources: { agent_id: id(it.agent.id), resources: [reserved(0.5)] },
  })),
  operatorCallOf('UNRESERVE_RESOURCES', (it) => ({
    unreserve_resources: { agent_id: id(it.agent.id), resources: [reserved(0.5)] },
  })),
  operatorCallOf('CREATE_VOLUMES', (it) => ({ create_volumes: { agent_id: id(it.agent.id), volumes: [volume] } })),
  operatorCallOf('DESTROY_VOLUMES', (it) => ({ destroy_volumes: { agent_id: id(it.agent.id), volumes: [volume] } })),
  operatorCallOf('GROW_VOLUME', (it) => ({
    grow_volume: { agent_id: id(it.agent.id), volume, addition: scalar('disk', 1, { reservations }) },
  })),
  operatorCallOf('SHRINK_VOLUME', (it) => ({
    shrink_volume: { agent_id: id(it.agent.id), volume, subtract: { value: 0.5 } },
  })),
  operatorCallOf('UPDATE_QUOTA', () => ({
    update_quota: {
      force: true,
      quota_configs: [{ role, guarantees: { cpus: { value: 1 } }, limits: { cpus: { value: 2 } } }],
    },
  })),
  operatorCallOf('SET_QUOTA', () => ({
    set_quota: { quota_request: { role, force: true, guarantee: [scalar('cpus', 1)] } },
  })),
  operatorCallOf('REMOVE_QUOTA', () => ({ remove_quota: { role } })),
  operatorCallOf('UPDATE_WEIGHTS', () => ({ update_weights: { weight_infos: [{ role, weight: 2 }] } })),
  operatorCallOf('UPDATE_MAINTENANCE_SCHEDULE', () => ({
    update_maintenance_schedule: {
      schedule: {
        windows: [
          {
            machine_ids: [{ hostname: 'agent0' }],
            unavailability: { start: { nanoseconds: 1 }, duration: { nanoseconds: 1 } },
          },
        ],
      },
    },
  })),
  operatorCallOf('START_MAINTENANCE', () => ({
    start_maintenance: { machines: [{ hostname: 'agent0', ip: '10.0.1.0' }] },
  })),
  operatorCallOf('STOP_MAINTENANCE', () => ({
    stop_maintenance: { machines: [{ hostname: 'agent0', ip: '10.0.1.0' }] },
  })),
  operatorCallOf('DRAIN_AGENT', (it) => ({
    drain_agent: { agent_id: id(it.agent.id), max_grace_period: { seconds: 1 }, mark_gone: true },
  })),
  operatorCallOf('TEARDOWN', (it) => ({ teardown: { framework_id: id(it.scheduler.id) } })),
];

/** Whether the next message can use the same framework and agent. */
const isUsable = ({ world, agent, scheduler }: Scene): boolean => {
  const { state } = world.master;
  const registered = state.agents.registered.get(agent.id);
  return (
    registered?.connected === true &&
    !scheduler.isClosed &&
    state.frameworks.has(scheduler.id) &&
    agent.pid === registered.pid
  );
};

function attack(subject: Subject): number {
  let it = createScene();
  let sent = 0;
  const all = places.placesOf(subject.message, MAX_DEPTH);
  const first = subject.plain(it);
  // Other subjects have the fields of other calls, and optional messages.
  const isThere = (text: string): boolean => (text.split('.')[0] as string) in first;
  for (const [turn, place] of all.filter(({ text }) => isThere(text) && text !== 'type').entries()) {
    for (const [i, { value }] of hostileValues(places, present(place.steps.at(-1), 'a step')).entries()) {
      if ((i + turn) % ONE_IN !== 0) continue;
      const json = writeJson(places.put(subject.plain(it), place, value));
      try {
        if (!subject.send(it, json)) continue;
        sent++;
        it.world.wait(1000);
        for (const effect of it.world.effects.splice(0)) if (effect.kind === 'send') encodeMessage(effect.message);
        assert.deepEqual(it.world.exits, []);
      } catch (error) {
        throw new Error(`${subject.what}, ${place.text}: ${json.slice(0, 1500)}`, { cause: error });
      }
      it.scheduler.events.splice(0, Math.max(0, it.scheduler.events.length - 10));
      if (!isUsable(it) || it.world.master.state.offers.size === 0 || it.world.master.state.agents.registered.size > 20)
        it = createScene();
    }
  }
  return sent;
}

for (const subject of SUBJECTS) {
  test(`a hostile value in a field of ${subject.what} breaks no invariant of the master`, () => {
    const sent = attack(subject);
    assert.ok(sent > 0 || Object.keys(subject.plain(createScene())).length === 0, 'some of the messages are valid');
  });
}
