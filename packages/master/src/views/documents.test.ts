// The large documents while a cluster changes at random: that a rendering reuses bytes of the last one never shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present, seededRandom, uniform } from '@meseta/base';
import type { Task, TaskInfo } from '@meseta/wire';
import { MasterResponseCodec, MasterResponseGetFrameworksFrameworkCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType, PROTOBUF_TYPE } from '@meseta/wire/media';
import fc from 'fast-check';
import { createWorld, type TestAgent, type TestScheduler, task, type World } from '../core/testing.js';
import { type Approver, approveAll } from './approver.js';
import { rolesDocument } from './roles.js';
import type { Document, Remembered } from './runs.js';
import { offeredTo, snapshotOf, usedByFramework } from './snapshot.js';
import { agentsDocument } from './v0-agents.js';
import { frameworksDocument } from './v0-frameworks.js';
import { stateDocument, summaryDocument } from './v0-state.js';
import { frameworkMessage } from './v1-frameworks.js';
import { stateCallDocument } from './v1-state.js';

const restricted: Approver = {
  ...approveAll,
  key: 'restricted',
  framework: ({ info }) => info.name !== 'hidden',
  task: ({ task_id }) => !task_id.value.endsWith('7'),
  role: (role) => role !== 'secret',
};

type View = (world: World, approver: Approver, earlier: Remembered | undefined) => Document;

const views: Readonly<Record<string, View>> = {
  '/state': ({ master: { state } }, approver, earlier) => {
    const { info } = state.identity;
    const facts = { build: { version: '1' }, info, startedAtMs: 0, cluster: undefined, flags: new Map() };
    return stateDocument(state, snapshotOf(state), facts, approver, earlier);
  },
  '/slaves': ({ master }, approver, earlier) => agentsDocument(snapshotOf(master.state), approver, undefined, earlier),
  '/frameworks': ({ master }, approver, earlier) =>
    frameworksDocument(snapshotOf(master.state), approver, undefined, earlier),
  'GET_STATE as JSON': ({ master }, approver, earlier) =>
    stateCallDocument('GET_STATE', JSON_TYPE, snapshotOf(master.state), approver, earlier),
  'GET_STATE as protobuf': ({ master }, approver, earlier) =>
    stateCallDocument('GET_STATE', PROTOBUF_TYPE, snapshotOf(master.state), approver, earlier),
};

function render(document: Document): { readonly bytes: Buffer; readonly remembered: Remembered } {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { done, value } = document.next();
    if (done === true) return { bytes: Buffer.concat(parts), remembered: value };
    parts.push(typeof value === 'string' ? Buffer.from(value) : value);
  }
}

/** A cluster whose agents, frameworks and tasks are added, change and are removed; each `next` makes one change. */
function randomCluster(seed: number): { readonly world: World; readonly next: () => void } {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(uniform(random) * list.length)];
  const world = createWorld({ maxCompletedTasksPerFramework: 40 });
  const agents: TestAgent[] = [];
  const schedulers: TestScheduler[] = [];
  let serial = 0;
  const launch = (scheduler: TestScheduler): void => {
    for (const event of scheduler.events.splice(0)) {
      for (const offer of event.offers?.offers ?? []) {
        if (uniform(random) < 0.3) continue;
        const count = 1 + Math.floor(uniform(random) * 12);
        scheduler.launch(offer, ...Array.from({ length: count }, () => task(`t${serial++}`, offer)));
      }
    }
  };
  const update = (scheduler: TestScheduler): void => {
    const known = pick([...(world.master.state.frameworks.get(scheduler.id)?.tasks.values() ?? [])]);
    const agent = agents.find(({ id }) => id === known?.agent_id.value);
    if (known === undefined || agent === undefined) return;
    agent.update(
      scheduler,
      known.task_id.value,
      pick(['TASK_RUNNING', 'TASK_FINISHED', 'TASK_FAILED'] as const) ?? known.state,
    );
    for (const { update } of scheduler.events.splice(0)) {
      if (update?.status.uuid !== undefined && uniform(random) < 0.8) scheduler.acknowledge(update.status);
    }
  };
  const changes = [
    () => void agents.push(world.agent()),
    () => void schedulers.push(world.subscribe({ name: pick(['hidden', 'shown']) ?? '' })),
    () => world.wait(2_000),
    ...Array.from({ length: 3 }, () => () => schedulers.forEach(launch)),
    ...Array.from({ length: 6 }, () => () => schedulers.forEach(update)),
    () => pick(agents)?.breakConnection(),
    () => pick(agents)?.reregister(),
    () => pick(schedulers)?.call({ type: 'REVIVE' }),
    () => {
      if (uniform(random) < 0.1) pick(schedulers)?.call({ type: 'TEARDOWN' });
    },
  ];
  return { world, next: () => pick(changes)?.() };
}

test('a document that reuses runs is equal to one that is encoded from scratch', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { world, next } = randomCluster(seed);
      const earlier = new Map<string, Remembered>();
      for (let step = 0; step < 60; step++) {
        next();
        if (step % 3 !== 0) continue;
        for (const [name, view] of Object.entries(views)) {
          for (const approver of [approveAll, restricted]) {
            const key = `${name} ${approver.key}`;
            const { bytes, remembered } = render(view(world, approver, earlier.get(key)));
            assert.deepEqual(bytes, render(view(world, approver, undefined)).bytes, `${key} at step ${step}`);
            earlier.set(key, remembered);
          }
        }
      }
    }),
    { numRuns: 15 },
  );
});

test('GET_STATE is the same in both media types, and /state has the same tasks', () => {
  const { world, next } = randomCluster(7);
  for (let step = 0; step < 200; step++) next();
  const bytes = (name: string): Buffer => render((views[name] as View)(world, approveAll, undefined)).bytes;
  const json = MasterResponseCodec.parse(bytes('GET_STATE as JSON').toString());
  const binary = MasterResponseCodec.decode(bytes('GET_STATE as protobuf'));
  assert.ok(json.ok && binary.ok);
  const tasksOf = (it: typeof json.value) => [
    ...(it.get_state?.get_tasks?.tasks ?? []),
    ...(it.get_state?.get_tasks?.completed_tasks ?? []),
  ];
  const ids = tasksOf(json.value).map(({ task_id }) => task_id.value);
  assert.deepEqual(tasksOf(binary.value), tasksOf(json.value));
  assert.ok(ids.length > 40, `${ids.length} tasks`);
  const state = JSON.parse(bytes('/state').toString()) as {
    frameworks: Record<'tasks' | 'completed_tasks', { id: string }[]>[];
    completed_frameworks: Record<'tasks' | 'completed_tasks', { id: string }[]>[];
  };
  const shown = [...state.frameworks, ...state.completed_frameworks].flatMap((it) => [
    ...it.tasks,
    ...it.completed_tasks,
  ]);
  assert.deepEqual(shown.map(({ id }) => id).sort(), ids.sort());
});

test('a framework that is encoded separately from its offers is the whole message, in both media types', () => {
  const { world, next } = randomCluster(3);
  for (let step = 0; step < 60; step++) next();
  world.agent();
  world.subscribe({ name: 'greedy' });
  world.wait(2_000);
  const { state } = world.master;
  const written = (type: MediaType): Buffer =>
    render(stateCallDocument('GET_FRAMEWORKS', type, snapshotOf(state), approveAll, undefined)).bytes;
  const { frameworks, completedFrameworks } = snapshotOf(state);
  assert.ok(frameworks.some(({ offers }) => offers.length > 0));
  for (const view of [...frameworks, ...completedFrameworks]) {
    const message = frameworkMessage(view, { used: usedByFramework(view), offered: offeredTo(view) }, approveAll);
    assert.ok(written(JSON_TYPE).includes(MasterResponseGetFrameworksFrameworkCodec.write(message)));
    assert.ok(written(PROTOBUF_TYPE).includes(Buffer.from(MasterResponseGetFrameworksFrameworkCodec.encode(message))));
  }
});

test('SECRETS-1: no document shows a secret of an executor, a health check or a volume', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const data = Buffer.from('hunter2').toString('base64');
  const secret = { type: 'VALUE', value: { data } } as const;
  const command = { value: 'true', environment: { variables: [{ name: 'S', type: 'SECRET', secret }] } } as const;
  const volume = { container_path: 'v', mode: 'RO', source: { type: 'SECRET', secret } } as const;
  const hidden: Partial<TaskInfo> = {
    health_check: { type: 'COMMAND', command },
    container: { type: 'MESOS', volumes: [volume] },
  };
  world.wait(1_000);
  const first = scheduler.offer();
  scheduler.launch(first, task('command', first, { command, ...hidden }));
  world.wait(10_000);
  const second = scheduler.offer();
  const executor = { executor_id: { value: 'e' }, command } as const;
  scheduler.launch(second, task('custom', second, { command: undefined, executor, ...hidden }));
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.tasks.size, 2);
  for (const [name, view] of Object.entries(views)) {
    const shown = render(view(world, approveAll, undefined)).bytes;
    assert.ok(shown.includes('custom') || name === '/slaves', name);
    for (const form of ['hunter2', data]) assert.equal(shown.includes(form), false, `${name}: ${form}`);
  }
  // The next master learns of the tasks from the agent's re-registration, with the secrets in them.
  const { info, tasks } = present(world.master.state.frameworks.get(scheduler.id), 'the framework');
  const returned = [...tasks.values()].map((it): Task => ({ ...it, ...hidden }));
  const next = createWorld();
  const again = next.agent('cpus:4;mem:4096', { info: agent.info, unregistered: true });
  next.feed({
    kind: 'message',
    from: again.pid,
    message: {
      name: 'ReregisterAgentMessage',
      body: {
        agent: { ...agent.info, id: { value: agent.id } },
        version: '1.12.0',
        frameworks: [info],
        tasks: returned,
        executor_infos: [{ ...executor, framework_id: { value: scheduler.id } }],
      },
    },
  });
  assert.equal(next.master.state.frameworks.get(scheduler.id)?.tasks.size, 2);
  for (const [name, view] of Object.entries(views)) {
    assert.equal(render(view(next, approveAll, undefined)).bytes.includes(data), false, name);
  }
});

test('no document names a framework, a task or a role that its reader may not see', () => {
  const world = createWorld();
  world.agent();
  const hidden = world.subscribe({ name: 'hidden', roles: ['secret'], capabilities: [{ type: 'MULTI_ROLE' }] });
  world.wait(1_000);
  const offer = hidden.offer();
  hidden.launch(offer, task('hidden-task', offer));
  const { state } = world.master;
  const facts = {
    build: { version: '1' },
    info: state.identity.info,
    startedAtMs: 0,
    cluster: undefined,
    flags: new Map(),
  };
  const nothing: Approver = { ...restricted, task: () => false, executor: () => false };
  const pieces: Readonly<Record<string, Iterable<string | Uint8Array>>> = {
    ...Object.fromEntries(Object.entries(views).map(([name, view]) => [name, view(world, nothing, undefined)])),
    '/state-summary': summaryDocument(snapshotOf(state), facts, nothing),
    '/roles': rolesDocument(state, snapshotOf(state), nothing),
  };
  for (const [name, parts] of Object.entries(pieces)) {
    const text = Buffer.concat([...parts].map((part) => Buffer.from(part))).toString('latin1');
    for (const word of [hidden.id, 'hidden-task', '"hidden"', '"secret"'])
      assert.ok(!text.includes(word), `${name}: ${word}`);
  }
});
