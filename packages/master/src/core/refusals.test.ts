// Samples of the errors that callers get: every refusal names the field and says what was expected.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterCall, OfferOperation, Resource, SchedulerCall, Secret, TaskInfo, Volume } from '@meseta/wire';
import { createWorld, resources, task } from './testing.js';

const id = (value: string) => ({ value });
const info = { user: 'u', name: 'n' };
const multiRole = [{ type: 'MULTI_ROLE' as const }];
const subscribe = (framework_info: object): SchedulerCall => ({
  type: 'SUBSCRIBE',
  subscribe: { framework_info: { ...info, ...framework_info } },
});

const subscriptions: readonly (readonly [SchedulerCall, RegExp])[] = [
  [subscribe({ capabilities: multiRole, roles: ['a b'] }), /framework_info\.roles.*a b/],
  [subscribe({ capabilities: multiRole, roles: ['a', 'a'] }), /framework_info\.roles.*a/],
  [subscribe({ capabilities: multiRole, role: 'a' }), /framework_info\.role\b.*MULTI_ROLE/],
  [subscribe({ roles: ['a'] }), /framework_info\.roles.*MULTI_ROLE/],
  [subscribe({ failover_timeout: 1e300 }), /framework_info\.failover_timeout: expected at most/],
  [
    { type: 'SUBSCRIBE', subscribe: { framework_info: info, suppressed_roles: ['b'] } },
    /suppressed_roles: 'b' is not among the framework's roles/,
  ],
];

test('subscriptions are refused with an event that names the field', () => {
  for (const [call, text] of subscriptions) {
    const world = createWorld();
    world.scheduler(call);
    const errors = world.effects.flatMap((effect) =>
      effect.kind === 'event' && effect.event.type === 'ERROR' ? [effect.event.error?.message ?? ''] : [],
    );
    assert.match(errors.join('\n'), text, JSON.stringify(call));
    assert.equal(world.master.state.frameworks.size, 0);
  }
});

test("operators' calls are refused with a text that names the field", () => {
  const world = createWorld();
  const agent_id = id(world.agent().id);
  const plain = resources('cpus:1');
  const cases: readonly (readonly [MasterCall, number, RegExp])[] = [
    [{ type: 'GET_HEALTH' }, 400, /type: expected a call that changes state, got GET_HEALTH/],
    [{ type: 'UPDATE_WEIGHTS' }, 400, /update_weights: is missing, expected for a call of type UPDATE_WEIGHTS/],
    [
      { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: 0 }] } },
      400,
      /weight_infos\.weight: expected more than 0, got 0/,
    ],
    [
      { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [{ role: 'a', limits: { cpus: { value: -1 } } }] } },
      400,
      /quota_configs\.limits\["cpus"\]: expected a number from 0 to .*, got -1/,
    ],
    [
      { type: 'RESERVE_RESOURCES', reserve_resources: { agent_id: id('x'), resources: plain } },
      400,
      /agent_id: agent x is not registered/,
    ],
    [
      { type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources: plain } },
      400,
      /reserve\.resources\[0\]\.reservations: expected a dynamic reservation/,
    ],
    [
      { type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes: plain } },
      400,
      /create\.volumes\[0\]\.disk\.persistence: is missing/,
    ],
    [{ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: id('x') } }, 404, /agent x is unknown/],
    [{ type: 'DRAIN_AGENT', drain_agent: { agent_id: id('x') } }, 400, /agent_id: agent x is unknown/],
    [
      { type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period: { seconds: -1 } } },
      400,
      /drain_agent\.max_grace_period: expected a duration >= 0/,
    ],
    [{ type: 'TEARDOWN', teardown: { framework_id: id('x') } }, 400, /framework_id: framework x is unknown/],
    [
      { type: 'START_MAINTENANCE', start_maintenance: { machines: [{}] } },
      400,
      /machines: expected a hostname or an ip/,
    ],
  ];
  for (const [call, status, text] of cases) {
    const answer = world.operator(call);
    assert.equal(answer?.status, status, JSON.stringify(call));
    assert.match(answer?.text ?? '', text);
  }
});

test('tasks and operations are refused with a message that names the field', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe();
  const launches: readonly (readonly [Partial<TaskInfo>, RegExp])[] = [
    [{ task_id: id('a/b') }, /task\.task_id: expected no slash, backslash and control character, got "a\/b"/],
    [{ agent_id: id('x') }, /task\.agent_id: expected .*, got x/],
    [{ resources: [] }, /task\.resources: expected at least one resource/],
    [{ resources: resources('gpus:0.5') as readonly Resource[] }, /task\.resources: expected a whole number of gpus/],
    [{ resources: resources('cpus:1000') }, /task\.resources: more than what is left of the offer/],
    [{ limits: { disk: { value: 1 } } }, /task\.limits/],
    [
      { kill_policy: { grace_period: { nanoseconds: -1 } } },
      /task\.kill_policy\.grace_period: expected a duration >= 0/,
    ],
    [
      { health_check: { type: 'TCP', tcp: { port: 65_536 } } },
      /health_check\.tcp\.port: expected a port from 0 to 65535, got 65536/,
    ],
    [
      { check: { type: 'HTTP', http: { port: 4e9 } } },
      /check\.http\.port: expected a port from 0 to 65535, got 4000000000/,
    ],
    [
      { check: { type: 'TCP', tcp: { port: 1 }, timeout_seconds: 1e300 } },
      /check\.timeout_seconds: expected at most 9223372036 seconds, got 1e\+300/,
    ],
    [
      { check: { type: 'TCP', tcp: { port: 1 }, interval_seconds: Number.NaN } },
      /check\.interval_seconds: expected a number >= 0, got NaN/,
    ],
    [
      { command: { value: 'x', environment: { variables: [{ name: 'A' }] } } },
      /task\.command\.environment\.variables\[0\]\.value: is missing for 'A'/,
    ],
  ];
  const withSecret = (secret: Secret): Partial<TaskInfo> => ({
    command: { value: 'x', environment: { variables: [{ name: 'A', type: 'SECRET', secret }] } },
  });
  const [reference, value] = [{ name: '/s' }, { data: 'aHVudGVyMg==' }];
  const secrets: readonly (readonly [Partial<TaskInfo>, RegExp])[] = [
    [withSecret({ type: 'REFERENCE' }), /variables\[0\]\.secret\.reference: is missing/],
    [withSecret({ type: 'VALUE', reference }), /variables\[0\]\.secret\.value: is missing/],
    [withSecret({ type: 'VALUE', reference, value }), /variables\[0\]\.secret\.reference: must not be set/],
    [withSecret({ type: 'REFERENCE', reference, value }), /variables\[0\]\.secret\.value: must not be set/],
  ];
  const withVolume = (volume: Partial<Volume>): Partial<TaskInfo> => ({
    container: { type: 'MESOS', volumes: [{ container_path: 'v', mode: 'RW', ...volume }] },
  });
  const parent = (path: string): Partial<Volume> => ({
    source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path } },
  });
  const paths: readonly (readonly [Partial<TaskInfo>, RegExp])[] = [
    [withVolume({}), /task\.container\.volumes\[0\]: expected exactly one of host_path, image and source, got 0/],
    [
      withVolume({ host_path: '/a', container_path: '../x' }),
      /volumes\[0\]\.container_path: expected a path without ".."/,
    ],
    [withVolume({ ...parent('p'), container_path: '' }), /volumes\[0\]\.container_path: expected a path, got ""/],
    [withVolume(parent('../../x')), /volumes\[0\]\.source\.sandbox_path\.path: expected a path without ".."/],
  ];
  const refused = (operation: OfferOperation): void => {
    world.wait(1_000);
    const { id: offerId } = scheduler.offer();
    const filters = { refuse_seconds: 0 };
    scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offerId], operations: [operation], filters } });
  };
  for (const [more, text] of [...launches, ...paths, ...secrets]) {
    world.wait(1_000);
    const offer = scheduler.offer();
    scheduler.launch(offer, { ...task('t', offer), ...more });
    const { state, message } = scheduler.status();
    assert.equal(state, 'TASK_ERROR', JSON.stringify(more));
    assert.match(message ?? '', text);
  }
  refused({ type: 'RESERVE', id: id('op'), reserve: { resources: resources('cpus:1') } });
  const status = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status;
  assert.equal(status?.state, 'OPERATION_ERROR');
  assert.match(status?.message ?? '', /reserve\.resources\[0\]\.reservations: expected a dynamic reservation/);
});
