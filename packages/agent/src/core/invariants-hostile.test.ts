// A broken invariant ends the agent, so nothing that comes from outside may break one. Every message that a master, a
// driver or an executor sends and every call of an executor and of a container's owner is valid here at first. Then hostile
// values replace its fields, one at a time. The core handles each, all that it sends can be encoded, and it restarts from what
// it wrote.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkExecutorCall } from '@meseta/api';
import { type Pid, present } from '@meseta/base';
import type { Codec, LibprocessMessage } from '@meseta/wire';
import * as codecs from '@meseta/wire/codecs';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import { hostileValues, writeJson } from '@meseta/wire/testing/hostile-values';
import { createSchemaPlaces, type Plain } from '@meseta/wire/testing/schema-places';
import type { ConnectionId } from './io.js';
import { frameworkOf, MASTER, registeredWorld, runToRunning, taskOf, type World } from './testing.js';

const places = createSchemaPlaces();
/** Fields that are deeper are in records that other messages have at a smaller depth. */
const MAX_DEPTH = 6;
/** Each field gets one in so many of the hostile values; the next field gets others. */
const ONE_IN = 3;

/** A valid message or call, whose fields get hostile values. */
interface Subject {
  /** Unique, for the title of the test. */
  readonly what: string;
  readonly message: string;
  readonly plain: Plain;
  /** Returns false if the JSON cannot be read as this message. */
  send(world: World, json: string): boolean;
}

const messageOf = (
  name: LibprocessMessage['name'],
  codec: Codec<unknown>,
  plain: Plain,
  from: Pid = MASTER,
): Subject => ({
  what: name,
  message: name,
  plain,
  send(world, json) {
    const read = codec.parse(json);
    if (read.ok) world.message({ name, body: read.value } as LibprocessMessage, from);
    return read.ok;
  },
});

let connections = 0;
const nextConnection = (): ConnectionId => `c${connections++}` as ConnectionId;

const executorCallOf = (type: string, body: Plain): Subject => ({
  what: `an ${type} call of an executor`,
  message: 'ExecutorCall',
  plain: { framework_id: id('f-1'), executor_id: id('e'), type, ...body },
  send(world, json) {
    const read = codecs.ExecutorCallCodec.parse(json);
    if (!read.ok || !checkExecutorCall(read.value).ok) return false;
    world.input({ kind: 'executorCall', connection: nextConnection(), call: read.value });
    return true;
  },
});

const containerCallOf = (type: string, body: Plain): Subject => ({
  what: `a ${type} call`,
  message: 'AgentCall',
  plain: { type, [type.toLowerCase()]: body },
  send(world, json) {
    const read = codecs.AgentCallCodec.parse(json);
    if (!read.ok || read.value[type.toLowerCase() as keyof typeof read.value] === undefined) return false;
    world.input({ kind: 'containerCall', connection: nextConnection(), call: read.value });
    return true;
  },
});

const id = (value: string) => ({ value });
const uuid = { value: 'AAAAAAAAQACAAAAAAAAAAA==' };
const scalar = (name: string, value: number, more: Plain = {}) => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const allocated = { allocation_info: { role: '*' } };
const reservations = [{ type: 'DYNAMIC', role: 'eng' }];
const volume = scalar('disk', 1, {
  reservations,
  disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
});
const framework = frameworkOf();
const executor = {
  executor_id: id('e'),
  framework_id: id('f-1'),
  command: { value: 'true' },
  resources: [scalar('cpus', 0.1, allocated)],
};
const { command, ...withoutCommand } = taskOf('n');
const status = {
  task_id: id('t'),
  state: 'TASK_RUNNING',
  source: 'SOURCE_EXECUTOR',
  executor_id: id('e'),
  uuid: uuid.value,
  timestamp: 1,
};
const driver = 'executor(1)@10.9.9.9:1' as Pid;
const nested = { value: 'nested', parent: id('parent') };

const SUBJECTS: readonly Subject[] = [
  messageOf('RunTaskMessage', codecs.RunTaskMessageCodec, {
    framework,
    task: {
      ...taskOf('n'),
      health_check: { type: 'COMMAND', command: { value: 'true' } },
      check: { type: 'TCP', tcp: { port: 1 } },
    },
    pid: '',
    executor_info: undefined,
    launch_executor: true,
    resource_version_uuids: [{ uuid }],
  }),
  {
    ...messageOf('RunTaskMessage', codecs.RunTaskMessageCodec, { framework, task: { ...withoutCommand, executor } }),
    what: "RunTaskMessage with a framework's executor",
  },
  messageOf('RunTaskGroupMessage', codecs.RunTaskGroupMessageCodec, {
    framework,
    executor: {
      executor_id: id('d'),
      framework_id: id('f-1'),
      type: 'DEFAULT',
      resources: [scalar('cpus', 0.1, allocated)],
    },
    task_group: {
      tasks: [
        taskOf('g1'),
        { ...taskOf('g2'), container: { type: 'MESOS', volumes: [{ container_path: 'v', mode: 'RW' }] } },
      ],
    },
    launch_executor: true,
  }),
  messageOf('KillTaskMessage', codecs.KillTaskMessageCodec, {
    framework_id: id('f-1'),
    task_id: id('t'),
    kill_policy: { grace_period: { nanoseconds: 1 } },
  }),
  messageOf('ShutdownExecutorMessage', codecs.ShutdownExecutorMessageCodec, {
    framework_id: id('f-1'),
    executor_id: id('t'),
  }),
  messageOf('ShutdownFrameworkMessage', codecs.ShutdownFrameworkMessageCodec, { framework_id: id('f-1') }),
  messageOf('StatusUpdateAcknowledgementMessage', codecs.StatusUpdateAcknowledgementMessageCodec, {
    agent_id: id('m-S0'),
    framework_id: id('f-1'),
    task_id: id('t'),
    uuid: uuid.value,
  }),
  messageOf('UpdateFrameworkMessage', codecs.UpdateFrameworkMessageCodec, {
    framework_id: id('f-1'),
    pid: '',
    framework_info: framework,
  }),
  messageOf('FrameworkToExecutorMessage', codecs.FrameworkToExecutorMessageCodec, {
    agent_id: id('m-S0'),
    framework_id: id('f-1'),
    executor_id: id('t'),
    data: 'AAAA',
  }),
  messageOf('ApplyOperationMessage', codecs.ApplyOperationMessageCodec, {
    framework_id: id('f-1'),
    operation_info: { type: 'RESERVE', id: id('o'), reserve: { resources: [scalar('cpus', 1, { reservations })] } },
    operation_uuid: uuid,
    resource_version_uuid: { uuid },
  }),
  {
    ...messageOf('ApplyOperationMessage', codecs.ApplyOperationMessageCodec, {
      operation_info: { type: 'CREATE', create: { volumes: [volume] } },
      operation_uuid: uuid,
      resource_version_uuid: { uuid },
    }),
    what: 'ApplyOperationMessage with a volume',
  },
  messageOf('CheckpointResourcesMessage', codecs.CheckpointResourcesMessageCodec, {
    resources: [scalar('cpus', 1, { reservations }), volume],
  }),
  messageOf('AcknowledgeOperationStatusMessage', codecs.AcknowledgeOperationStatusMessageCodec, {
    status_uuid: uuid,
    operation_uuid: uuid,
  }),
  messageOf('ReconcileOperationsMessage', codecs.ReconcileOperationsMessageCodec, {
    operations: [{ operation_uuid: uuid }],
  }),
  messageOf('AgentReregisteredMessage', codecs.AgentReregisteredMessageCodec, {
    agent_id: id('m-S0'),
    reconciliations: [{ framework_id: id('f-1'), statuses: [{ task_id: id('t'), state: 'TASK_RUNNING' }] }],
    connection: { total_ping_timeout_seconds: 75 },
  }),
  messageOf('PingAgentMessage', codecs.PingAgentMessageCodec, { connected: true }),
  messageOf(
    'RegisterExecutorMessage',
    codecs.RegisterExecutorMessageCodec,
    { framework_id: id('f-1'), executor_id: id('e') },
    driver,
  ),
  messageOf(
    'ReregisterExecutorMessage',
    codecs.ReregisterExecutorMessageCodec,
    {
      framework_id: id('f-1'),
      executor_id: id('e'),
      tasks: [taskOf('t')],
      updates: [{ framework_id: id('f-1'), status, timestamp: 1, uuid: uuid.value }],
    },
    driver,
  ),
  messageOf(
    'StatusUpdateMessage',
    codecs.StatusUpdateMessageCodec,
    {
      update: {
        framework_id: id('f-1'),
        executor_id: id('e'),
        agent_id: id('m-S0'),
        status,
        timestamp: 1,
        uuid: uuid.value,
      },
      pid: driver,
    },
    driver,
  ),
  messageOf(
    'ExecutorToFrameworkMessage',
    codecs.ExecutorToFrameworkMessageCodec,
    { agent_id: id('m-S0'), framework_id: id('f-1'), executor_id: id('e'), data: 'AAAA' },
    driver,
  ),
  executorCallOf('SUBSCRIBE', {
    subscribe: { unacknowledged_tasks: [taskOf('x')], unacknowledged_updates: [{ status }] },
  }),
  executorCallOf('UPDATE', { update: { status } }),
  executorCallOf('MESSAGE', { message: { data: 'AAAA' } }),
  containerCallOf('LAUNCH_NESTED_CONTAINER', {
    container_id: nested,
    command: { value: 'true' },
    container: { type: 'MESOS' },
  }),
  containerCallOf('LAUNCH_NESTED_CONTAINER_SESSION', { container_id: nested, command: { value: 'true' } }),
  containerCallOf('LAUNCH_CONTAINER', {
    container_id: id('standalone'),
    command: { value: 'true' },
    resources: [scalar('cpus', 0.1)],
  }),
  containerCallOf('WAIT_CONTAINER', { container_id: nested }),
  containerCallOf('KILL_CONTAINER', { container_id: nested, signal: 9 }),
  containerCallOf('REMOVE_CONTAINER', { container_id: nested }),
  containerCallOf('ATTACH_CONTAINER_OUTPUT', { container_id: nested }),
];

/** A registered agent with a running task. */
function createScene(): World {
  const world = registeredWorld();
  runToRunning(world, taskOf('t'));
  return world;
}

function attack(subject: Subject): number {
  let world = createScene();
  let sent = 0;
  const all = places
    .placesOf(subject.message, MAX_DEPTH)
    .filter(({ text }) => (text.split('.')[0] as string) in subject.plain);
  for (const [turn, place] of all.filter(({ text }) => text !== 'type').entries()) {
    for (const [i, { value }] of hostileValues(places, present(place.steps.at(-1), 'a step')).entries()) {
      if ((i + turn) % ONE_IN !== 0) continue;
      const json = writeJson(places.put(subject.plain, place, value));
      try {
        if (!subject.send(world, json)) continue;
        sent++;
        world.pass(1000);
        for (const { message } of world.sent.splice(0)) encodeMessage(message);
        world.effects.splice(0);
        if (sent % 50 !== 0) continue;
        world.restart();
        world = createScene();
      } catch (error) {
        throw new Error(`${subject.what}, ${place.text}: ${json.slice(0, 1500)}`, { cause: error });
      }
    }
  }
  return sent;
}

for (const subject of SUBJECTS) {
  test(`a hostile value in a field of ${subject.what} breaks no invariant of the agent`, () => {
    assert.ok(attack(subject) > 0, 'some of the messages are valid');
  });
}
