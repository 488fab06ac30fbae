// Tasks, groups and executors that are refused, by the reason in the status that the scheduler gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutorInfo, Offer, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import { createWorld, resources, type TestScheduler, task } from '../testing.js';

const container = (share_cgroups: boolean) => ({ type: 'MESOS', linux_info: { share_cgroups } }) as const;

/** The reasons of the statuses that the operation is answered with; empty: it is launched. */
function refusalsOf(make: (offer: Offer, scheduler: TestScheduler) => OfferOperation): readonly string[] {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe({ capabilities: [{ type: 'MULTI_ROLE' }, { type: 'SHARED_RESOURCES' }] });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [make(offer, scheduler)] } });
  return scheduler.events.flatMap(({ update }) => (update === undefined ? [] : [update.status.message ?? '']));
}

type GroupCase = readonly [
  what: string,
  change: (offer: Offer) => {
    readonly executor?: Partial<ExecutorInfo>;
    readonly tasks?: readonly Partial<TaskInfo>[];
  },
  refusal: RegExp | undefined,
];

const groupCases: readonly GroupCase[] = [
  ['as it should be', () => ({}), undefined],
  ['no tasks', () => ({ tasks: [] }), undefined],
  ['two tasks of one id', () => ({ tasks: [{ task_id: { value: 'x' } }, { task_id: { value: 'x' } }] }), /two tasks/],
  ['a task without a command', () => ({ tasks: [{ command: undefined }] }), /task\.command: is missing/],
  [
    'a task of Docker',
    () => ({ tasks: [{ container: { type: 'DOCKER', docker: { image: 'i' } } }] }),
    /task\.container\.type: DOCKER is not possible in a group/,
  ],
  [
    'an executor of Docker',
    () => ({
      executor: { type: 'CUSTOM', command: { value: 'run' }, container: { type: 'DOCKER', docker: { image: 'i' } } },
    }),
    /executor\.container\.type: DOCKER is not possible for a group/,
  ],
  [
    'an executor with too few cpus',
    (offer) => ({ executor: { resources: resources('cpus:0.009;mem:32;disk:1', offer) } }),
    /at least 0\.01 cpus/,
  ],
  [
    'an executor with too little memory',
    (offer) => ({ executor: { resources: resources('cpus:0.01;mem:31.999;disk:1', offer) } }),
    /at least 32 MB of mem/,
  ],
  [
    'an executor without disk',
    (offer) => ({ executor: { resources: resources('cpus:0.01;mem:32', offer) } }),
    /expected some disk/,
  ],
  [
    'the smallest executor',
    (offer) => ({ executor: { resources: resources('cpus:0.01;mem:32;disk:0.001', offer) } }),
    undefined,
  ],
  [
    'an HTTP check over a separate network',
    () => ({
      tasks: [
        {
          container: { type: 'MESOS', network_infos: [{ name: 'n' }] },
          health_check: { type: 'HTTP', http: { port: 80 } },
        },
      ],
    }),
    /task\.health_check\.type/,
  ],
  [
    'a command check over a separate network',
    () => ({
      tasks: [
        {
          container: { type: 'MESOS', network_infos: [{ name: 'n' }] },
          health_check: { type: 'COMMAND', command: { value: 'true' } },
        },
      ],
    }),
    undefined,
  ],
  [
    'a task with limits and a separate cgroup',
    () => ({ tasks: [{ limits: { mem: { value: 64 } }, container: container(false) }] }),
    undefined,
  ],
  ['an executor without framework_id', () => ({ executor: { framework_id: undefined } }), /executor\.framework_id/],
  ["another framework's executor", () => ({ executor: { framework_id: { value: 'x' } } }), /executor\.framework_id/],
  ['an executor without type', () => ({ executor: { type: undefined } }), /executor\.type: is missing|command/],
  ['a custom executor', () => ({ executor: { type: 'CUSTOM', command: { value: 'run' } } }), undefined],
  [
    'a default executor with an image',
    () => ({ executor: { container: { type: 'MESOS', mesos: { image: { type: 'DOCKER', docker: { name: 'i' } } } } } }),
    /executor\.container\.mesos\.image/,
  ],
  ['an executor that shares cgroups', () => ({ executor: { container: container(true) } }), /share_cgroups/],
  [
    'tasks of their own cgroups',
    () => ({ tasks: [{ container: container(false) }, { container: container(false) }] }),
    undefined,
  ],
  ['tasks of which one shares cgroups', () => ({ tasks: [{}, { container: container(false) }] }), /share_cgroups/],
  ['a task with limits that shares cgroups', () => ({ tasks: [{ limits: { mem: { value: 64 } } }] }), /task\.limits/],
  [
    'a port twice',
    (offer) => ({
      tasks: [1, 2].map(() => ({ resources: resources('cpus:0.1;mem:32;ports:[31000-31001]', offer) })),
    }),
    /ports 31000 are used twice/,
  ],
  [
    'a port of the executor',
    (offer) => ({
      executor: { resources: resources('cpus:0.1;mem:32;disk:1;ports:[31000-31000]', offer) },
      tasks: [{ resources: resources('cpus:0.1;mem:32;ports:[31000-31000]', offer) }],
    }),
    /ports 31000 are used twice/,
  ],
  [
    'neighbouring ports',
    (offer) => ({
      tasks: [31000, 31001].map((port) => ({ resources: resources(`cpus:0.1;mem:32;ports:[${port}-${port}]`, offer) })),
    }),
    undefined,
  ],
  [
    'a task with another executor',
    () => ({ tasks: [{ executor: { executor_id: { value: 'x' } } }] }),
    /task\.executor/,
  ],
  [
    'a check over a network of its own',
    () => ({
      tasks: [
        {
          container: { type: 'MESOS', network_infos: [{ name: 'n' }] },
          health_check: { type: 'TCP', tcp: { port: 80 } },
        },
      ],
    }),
    /task\.health_check\.type/,
  ],
];

test('LAUNCH_GROUP: problems that make all its tasks TASK_ERROR', () => {
  for (const [what, change, refusal] of groupCases) {
    const refusals = refusalsOf((offer, scheduler) => {
      const { executor, tasks = [{}] } = change(offer);
      return {
        type: 'LAUNCH_GROUP',
        launch_group: {
          executor: {
            type: 'DEFAULT',
            executor_id: { value: 'pod' },
            framework_id: { value: scheduler.id },
            resources: resources('cpus:0.1;mem:32;disk:1', offer),
            ...executor,
          },
          task_group: { tasks: tasks.map((more, at) => task(`t${at}`, offer, more)) },
        },
      };
    });
    if (refusal === undefined) assert.deepEqual(refusals, [], what);
    else assert.match(refusals[0] ?? '', refusal, what);
  }
});

const custom = (offer: Offer, more: Partial<ExecutorInfo> = {}): Partial<TaskInfo> => ({
  command: undefined,
  executor: {
    executor_id: { value: 'e' },
    command: { value: 'run' },
    resources: resources('cpus:0.1;mem:32', offer),
    ...more,
  },
});

const disk = (offer: Offer, more: Partial<Resource>): Resource[] =>
  resources('cpus:0.1;disk:1', offer).map((each) => (each.name === 'disk' ? { ...each, ...more } : each));

const volume = { container_path: 'data', mode: 'RW' } as const;

const taskCases: readonly (readonly [string, (offer: Offer) => Partial<TaskInfo>, RegExp | undefined])[] = [
  ['a custom executor without framework_id', (offer) => custom(offer), undefined],
  ['cgroups of its own', () => ({ container: container(false) }), /share_cgroups/],
  ['an executor that shares cgroups', (offer) => custom(offer, { container: container(true) }), /share_cgroups/],
  [
    'a port that its executor has',
    (offer) => ({
      ...custom(offer, { resources: resources('cpus:0.1;mem:32;ports:[31000-31000]', offer) }),
      resources: resources('cpus:0.1;ports:[31000-31002]', offer),
    }),
    /ports 31000 are used twice/,
  ],
  ['a disk that is nothing', (offer) => ({ resources: disk(offer, { disk: {} }) }), /disk: expected persistence/],
  [
    'a volume that does not last',
    (offer) => ({ resources: disk(offer, { disk: { volume } }) }),
    /disk\.volume: is only possible with disk\.persistence/,
  ],
  [
    'a volume of unreserved disk',
    (offer) => ({ resources: disk(offer, { disk: { persistence: { id: 'v' }, volume } }) }),
    /disk\.persistence: must not be set for unreserved/,
  ],
];

test('LAUNCH: problems that make a task TASK_ERROR', () => {
  for (const [what, change, refusal] of taskCases) {
    const refusals = refusalsOf((offer) => ({
      type: 'LAUNCH',
      launch: { task_infos: [task('t', offer, change(offer))] },
    }));
    if (refusal === undefined) assert.deepEqual(refusals, [], what);
    else assert.match(refusals[0] ?? '', refusal, what);
  }
});

test('a LAUNCH that has an id launches none of its tasks', () => {
  const refusals = refusalsOf((offer) => ({
    type: 'LAUNCH',
    id: { value: 'op' },
    launch: { task_infos: [task('a', offer), task('b', offer)] },
  }));
  assert.equal(refusals.length, 2);
  assert.match(refusals[0] ?? '', /operation\.id/);
});

test('a LAUNCH with one malformed list of resources launches none of its tasks', () => {
  const refusals = refusalsOf((offer) => {
    const [cpus] = resources('cpus:1', offer);
    const bad = { ...cpus, name: 'cpus', type: 'SCALAR', scalar: { value: -1 } } as const;
    return { type: 'LAUNCH', launch: { task_infos: [task('a', offer), task('b', offer, { resources: [bad] })] } };
  });
  assert.equal(refusals.length, 2);
  assert.equal(refusals[0], refusals[1]);
});
