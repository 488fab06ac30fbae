// The HTTP statuses of operators' calls that are repeated, too early, too late, or about an unknown object.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineID, MasterCall, Resource } from '@meseta/wire';
import { createWorld, resources, type TestAgent, type World } from '../testing.js';

const id = (value: string) => ({ value });

const drain = (agent: string): MasterCall => ({ type: 'DRAIN_AGENT', drain_agent: { agent_id: id(agent) } });
const deactivate = (agent: string): MasterCall => ({
  type: 'DEACTIVATE_AGENT',
  deactivate_agent: { agent_id: id(agent) },
});
const reactivate = (agent: string): MasterCall => ({
  type: 'REACTIVATE_AGENT',
  reactivate_agent: { agent_id: id(agent) },
});
const gone = (agent: string): MasterCall => ({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: id(agent) } });
const schedule = (...machine_ids: readonly MachineID[]): MasterCall => ({
  type: 'UPDATE_MAINTENANCE_SCHEDULE',
  update_maintenance_schedule: {
    schedule: { windows: [{ machine_ids, unavailability: { start: { nanoseconds: 0n } } }] },
  },
});
const down = (...machines: readonly MachineID[]): MasterCall => ({
  type: 'START_MAINTENANCE',
  start_maintenance: { machines },
});
const up = (...machines: readonly MachineID[]): MasterCall => ({
  type: 'STOP_MAINTENANCE',
  stop_maintenance: { machines },
});
const weight = (role: string, value: number): MasterCall => ({
  type: 'UPDATE_WEIGHTS',
  update_weights: { weight_infos: [{ role, weight: value }] },
});

const reserved: Resource[] = resources('disk:64').map((disk) => ({
  ...disk,
  reservations: [{ type: 'DYNAMIC', role: 'db' }],
}));
const volumes: Resource[] = reserved.map((disk) => ({
  ...disk,
  disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } },
}));
const reserve = (agent: string): MasterCall => ({
  type: 'RESERVE_RESOURCES',
  reserve_resources: { agent_id: id(agent), resources: reserved },
});
const unreserve = (agent: string): MasterCall => ({
  type: 'UNRESERVE_RESOURCES',
  unreserve_resources: { agent_id: id(agent), resources: reserved },
});
const create = (agent: string): MasterCall => ({
  type: 'CREATE_VOLUMES',
  create_volumes: { agent_id: id(agent), volumes },
});
const destroy = (agent: string): MasterCall => ({
  type: 'DESTROY_VOLUMES',
  destroy_volumes: { agent_id: id(agent), volumes },
});

interface Scene {
  readonly world: World;
  readonly agent: TestAgent;
}

const machine = { hostname: 'agent0', ip: '10.0.1.0' };

type Step = readonly [call: (scene: Scene) => MasterCall, status: number];

const stories: readonly (readonly [what: string, steps: readonly Step[]])[] = [
  [
    'gone twice',
    [
      [({ agent }) => gone(agent.id), 200],
      [({ agent }) => gone(agent.id), 200],
    ],
  ],
  ['gone, and unknown', [[() => gone('nobody'), 404]]],
  [
    'drained and reactivated',
    [
      [({ agent }) => drain(agent.id), 200],
      [({ agent }) => drain(agent.id), 200],
      [({ agent }) => reactivate(agent.id), 200],
      [({ agent }) => drain(agent.id), 200],
    ],
  ],
  [
    'deactivated twice, reactivated twice',
    [
      [({ agent }) => deactivate(agent.id), 200],
      [({ agent }) => deactivate(agent.id), 200],
      [({ agent }) => reactivate(agent.id), 200],
      [({ agent }) => reactivate(agent.id), 400],
    ],
  ],
  [
    'drained, and of an unknown agent',
    [
      [() => drain('nobody'), 400],
      [() => deactivate('nobody'), 400],
      [() => reactivate('nobody'), 400],
    ],
  ],
  [
    'drained while its machine is to be maintained',
    [
      [() => schedule(machine), 200],
      [({ agent }) => drain(agent.id), 400],
    ],
  ],
  [
    'maintenance',
    [
      [() => down(machine), 400],
      [() => schedule(machine), 200],
      [() => schedule(machine), 200],
      [() => up(machine), 400],
      [() => down(machine), 200],
      [() => down(machine), 400],
      [() => schedule(), 400],
      [() => up(machine), 200],
      [() => up(machine), 400],
    ],
  ],
  [
    'machines that are none',
    [
      [() => schedule({}), 400],
      [() => schedule(machine, machine), 400],
      [() => schedule({ ip: 'here' }), 400],
      [() => schedule({ ip: '::1' }), 400],
      [() => schedule({ ip: '10.0.0.256' }), 400],
      [() => down({ hostname: 'x' }), 400],
      [() => up({ hostname: 'x' }), 400],
    ],
  ],
  [
    'weights',
    [
      [() => weight('web', 2), 200],
      [() => weight('web', 2), 200],
      [() => weight('web', 0), 400],
      [() => weight('', 2), 400],
      [() => weight('a b', 2), 400],
    ],
  ],
  [
    'reservations and volumes',
    [
      [({ agent }) => reserve(agent.id), 202],
      [({ agent }) => create(agent.id), 202],
      [({ agent }) => create(agent.id), 400],
      [({ agent }) => unreserve(agent.id), 409],
      [({ agent }) => destroy(agent.id), 202],
      [({ agent }) => destroy(agent.id), 400],
      [({ agent }) => unreserve(agent.id), 202],
      [({ agent }) => unreserve(agent.id), 409],
    ],
  ],
  [
    'resources of an unknown agent',
    [
      [() => reserve('nobody'), 400],
      [() => unreserve('nobody'), 400],
      [() => create('nobody'), 400],
      [() => destroy('nobody'), 400],
    ],
  ],
];

test('repeated, early and late calls are answered as in Mesos', () => {
  for (const [what, steps] of stories) {
    const world = createWorld();
    const scene = { world, agent: world.agent() };
    for (const [at, [call, status]] of steps.entries()) {
      const made = call(scene);
      const answer = world.operator(made);
      assert.equal(answer?.status, status, `${what}, ${at + 1}. ${made.type}: ${JSON.stringify(answer)}`);
    }
  }
});

test('with --roles, only these roles can have weights and quotas', () => {
  const world = createWorld({ roles: new Set(['web', '*']) });
  world.agent();
  const quota = (role: string): MasterCall => ({
    type: 'UPDATE_QUOTA',
    update_quota: { quota_configs: [{ role, guarantees: {}, limits: { cpus: { value: 1 } } }] },
  });
  assert.equal(world.operator(quota('web'))?.status, 200);
  assert.equal(world.operator(quota('db'))?.status, 400);
  assert.equal(world.operator(weight('web', 2))?.status, 200);
  assert.equal(world.operator(weight('db', 2))?.status, 400);
});

test('an unreachable agent can be deactivated, and is reactivated only after it has re-registered', () => {
  const world = createWorld({ agentPingTimeoutMs: 1_000, maxAgentPingTimeouts: 1 });
  const agent = world.agent();
  agent.answersPings = false;
  world.wait(10_000);
  assert.equal(world.operator(reactivate(agent.id))?.status, 400);
  assert.equal(world.operator(deactivate(agent.id))?.status, 200);
  assert.equal(world.operator(reactivate(agent.id))?.status, 409);
});

test('DRAIN_AGENT with mark_gone needs the authorization of both; an empty schedule needs none', () => {
  const world = createWorld({ authorize: ({ action }) => action === 'DRAIN_AGENT' || action === 'REGISTER_AGENT' });
  const agent_id = { value: world.agent().id };
  const marking: MasterCall = { type: 'DRAIN_AGENT', drain_agent: { agent_id, mark_gone: true } };
  assert.equal(world.operator(marking)?.status, 403);
  assert.equal(world.operator(drain(agent_id.value))?.status, 200);
  assert.equal(world.operator(schedule(machine))?.status, 403);
  const empty: MasterCall = {
    type: 'UPDATE_MAINTENANCE_SCHEDULE',
    update_maintenance_schedule: { schedule: { windows: [] } },
  };
  assert.equal(world.operator(empty)?.status, 200);
});
