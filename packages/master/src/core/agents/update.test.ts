// UpdateAgentMessage: the resources and operations that a registered agent reports.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferId, Pid } from '@meseta/base';
import type { Resource, UpdateAgentMessage } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, resources, type TestAgent, type World } from '../testing.js';

const LATER_VERSION = { value: bytesOfUuid('99999999-9999-4999-8999-999999999999') };
const revocable = (text: string): readonly Resource[] =>
  resources(text).map((resource) => ({ ...resource, revocable: {} }));

const update = (agent: TestAgent, fields: Partial<UpdateAgentMessage>): void =>
  agent.send({ name: 'UpdateAgentMessage', body: { agent_id: { value: agent.id }, ...fields } });
const recordOf = (world: World, { id }: TestAgent) => world.master.state.agents.registered.get(id);
const warnings = (world: World) =>
  world.notes.flatMap((note) => (note.kind === 'log' && note.level === 'warning' ? [note.text] : []));

const provider = (total: string): UpdateAgentMessage['resource_providers'] => ({
  providers: [
    {
      info: { id: { value: 'p' }, type: 'org.example', name: 'p' },
      total_resources: resources(total).map((it) => ({ ...it, provider_id: { value: 'p' } })),
      operations: {},
      resource_version_uuid: LATER_VERSION,
    },
  ],
});

test("an update is ignored if it comes from another pid than the agent's, or if its resources are invalid", () => {
  const world = createWorld();
  const agent = world.agent('cpus:4');
  const oversubscribed_resources = revocable('cpus:2');
  const elsewhere = 'slave(1)@10.0.9.9:5051' as Pid;
  const body = { agent_id: { value: agent.id }, oversubscribed_resources };
  world.feed({ kind: 'message', from: elsewhere, message: { name: 'UpdateAgentMessage', body }, principal: undefined });
  update(agent, { agent_id: { value: 'nobody' }, oversubscribed_resources });
  update(agent, { oversubscribed_resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: -1 } }] });
  assert.deepEqual(
    warnings(world).map((text) => text.replace(/\[0\].*/, '[0]')),
    [
      `ignoring an update of agent ${agent.id} by ${elsewhere}: it is not registered there`,
      `ignoring an update of agent nobody by ${agent.pid}: it is not registered there`,
      `ignoring an update of agent ${agent.id}: oversubscribed_resources[0]`,
    ],
  );
  assert.deepEqual(recordOf(world, agent)?.totalResources, recordOf(world, agent)?.info.resources);
  assert.equal(world.master.state.counters.get('master/messages_update_slave'), 3);
});

test('an update replaces oversubscribed resources if it has some or sets update_oversubscribed_resources', () => {
  const table: readonly (readonly [fields: Partial<UpdateAgentMessage>, cpus: number])[] = [
    [{ oversubscribed_resources: revocable('cpus:2') }, 6],
    [{}, 6],
    [{ update_oversubscribed_resources: false }, 6],
    [{ update_oversubscribed_resources: true, oversubscribed_resources: revocable('cpus:3') }, 7],
    [{ update_oversubscribed_resources: true }, 4],
    [{ update_oversubscribed_resources: false, oversubscribed_resources: revocable('cpus:1') }, 5],
  ];
  const world = createWorld();
  const agent = world.agent('cpus:4');
  for (const [fields, cpus] of table) {
    update(agent, fields);
    const of = (list: readonly Resource[] = []) => list.reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0);
    assert.equal(of(recordOf(world, agent)?.totalResources), cpus, JSON.stringify(fields));
    assert.equal(of(world.master.state.allocator.available(agent.id).resources), cpus, JSON.stringify(fields));
  }
});

test('a change of oversubscribed resources rescinds offers with such resources, and no others', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4');
  const roles = ['*'];
  const plain = world.subscribe({ roles });
  world.wait(1_000);
  const kept = plain.offer();
  update(agent, { oversubscribed_resources: revocable('cpus:2') });
  const best = world.subscribe({ roles, capabilities: [{ type: 'MULTI_ROLE' }, { type: 'REVOCABLE_RESOURCES' }] });
  world.wait(2_000);
  const offer = best.offer();
  assert.deepEqual([offer.resources?.length, offer.resources?.[0]?.revocable], [1, {}]);
  update(agent, { oversubscribed_resources: revocable('cpus:2') });
  assert.equal(best.has('RESCIND'), false, 'nothing has changed');
  update(agent, { update_oversubscribed_resources: true });
  assert.deepEqual(best.take('RESCIND').rescind?.offer_id, offer.id);
  assert.equal(plain.has('RESCIND'), false);
  assert.equal(world.master.state.offers.has(kept.id.value as OfferId), true);
});

test('the resources of a provider count while the agent reports the provider; a change rescinds offers of them', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4');
  const scheduler = world.subscribe();
  world.wait(1_000);
  const plain = scheduler.offer();
  update(agent, { resource_providers: provider('mem:100') });
  assert.equal(scheduler.has('RESCIND'), false);
  const { resourceProviders, totalResources = [] } = recordOf(world, agent) ?? {};
  assert.deepEqual(
    [...(resourceProviders ?? [])].map(([id, { info, resourceVersion }]) => [id, info.name, resourceVersion]),
    [['p', 'p', LATER_VERSION.value]],
  );
  assert.deepEqual(
    totalResources.map(({ name, provider_id }) => [name, provider_id?.value]),
    [
      ['cpus', undefined],
      ['mem', 'p'],
    ],
  );
  world.wait(2_000);
  const provided = scheduler.offer();
  assert.deepEqual(
    provided.resources?.map(({ provider_id }) => provider_id?.value),
    ['p'],
  );
  update(agent, {});
  assert.equal(scheduler.has('RESCIND'), false, 'an update that names no providers leaves them');
  update(agent, { resource_providers: provider('mem:50') });
  assert.deepEqual(scheduler.take('RESCIND').rescind?.offer_id, provided.id);
  assert.equal(scheduler.has('RESCIND'), false);
  assert.equal(world.master.state.offers.has(plain.id.value as OfferId), true);
  update(agent, { resource_providers: {} });
  assert.deepEqual(recordOf(world, agent)?.totalResources, recordOf(world, agent)?.info.resources);
  update(agent, { resource_providers: { providers: [{ resource_version_uuid: LATER_VERSION, operations: {} }] } });
  assert.equal(recordOf(world, agent)?.resourceProviders.size, 0, 'one that has no id yet');
});

test('an update with another resource version than the registration makes the agent re-register; one without a version does not', () => {
  const asked = (agent: TestAgent) => agent.received.some((it) => it.name === 'PingAgentMessage' && !it.body.connected);
  const table: readonly (readonly [registered: boolean, version: { value: string } | undefined, asked: boolean])[] = [
    [true, LATER_VERSION, true],
    [true, undefined, false],
    [true, { value: bytesOfUuid('11111111-1111-4111-8111-111111111111') }, false],
    [false, LATER_VERSION, false],
  ];
  for (const [hasVersion, resource_version_uuid, expected] of table) {
    const world = createWorld();
    const agent = world.agent('cpus:4', { unregistered: true });
    if (hasVersion) agent.register();
    else agent.send({ name: 'RegisterAgentMessage', body: { agent: agent.info, version: '1.12.0' } });
    update(agent, resource_version_uuid === undefined ? {} : { resource_version_uuid });
    assert.equal(asked(agent), expected, JSON.stringify([hasVersion, resource_version_uuid]));
  }
});

test('operations that an update lacks are reconciled; none if the update has no list of operations', () => {
  const world = createWorld();
  const agent = world.agent();
  const uuids = ['1', '2'].map((n) => ({ value: bytesOfUuid(`22222222-2222-4222-8222-22222222222${n}`) }));
  const operations = uuids.map((uuid) => ({
    info: { type: 'RESERVE' as const },
    latest_status: { state: 'OPERATION_PENDING' as const },
    uuid,
  }));
  update(agent, { operations: { operations } });
  update(agent, {});
  assert.equal(agent.has('ReconcileOperationsMessage'), false);
  update(agent, { operations: { operations: operations.slice(1) } });
  assert.deepEqual(agent.take('ReconcileOperationsMessage'), { operations: [{ operation_uuid: uuids[0] }] });
});
