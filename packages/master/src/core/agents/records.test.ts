import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { AgentInfo, AgentInfoCapabilityType } from '@meseta/wire';
import type { Context } from '../context.js';
import { createWorld, resources } from '../testing.js';
import { agentIdOf, capabilitySet, normalizeAgentInfo, shareInfo } from './records.js';

function contextOf(): Context {
  const world = createWorld();
  return { state: world.master.state, now: world.now(), effects: [] };
}

const domain = { fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } };
const full = (): AgentInfo => ({
  hostname: 'h',
  resources: resources('cpus:1;mem:64'),
  attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
  domain: structuredClone(domain),
});

test('agents with equal resources, attributes and domains share them', () => {
  const ctx = contextOf();
  const one = shareInfo(ctx, full());
  const other = shareInfo(ctx, full());
  assert.deepEqual(one, full());
  for (const field of ['resources', 'attributes', 'domain'] as const) assert.equal(one[field], other[field], field);
  assert.deepEqual(shareInfo(ctx, { hostname: 'h' }), { hostname: 'h' });
});

test('the info of a record has its own id, and only the fields that the agent has sent', () => {
  const id = 'S1' as AgentId;
  assert.deepEqual(normalizeAgentInfo({ hostname: 'h', id: { value: 'claimed' } }, id), {
    hostname: 'h',
    resources: [],
    id: { value: id },
  });
  const info = { ...full(), checkpoint: true, port: 5051 };
  assert.deepEqual(normalizeAgentInfo(info, id), { ...info, id: { value: id } });
});

test('agents with equal capabilities share the set, up to 256 different sets', () => {
  const ctx = contextOf();
  const { capabilitySets } = ctx.state.agents;
  const type = 'MULTI_ROLE';
  const set = capabilitySet(ctx, [{ type }, {}]);
  assert.deepEqual([...set], [type]);
  assert.equal(capabilitySet(ctx, [{ type }]), set);
  assert.deepEqual([...capabilitySet(ctx, [])], []);
  const invented = (i: number) => [{ type: `INVENTED_${i}` as AgentInfoCapabilityType }];
  for (let i = 0; capabilitySets.size < 256; i++) capabilitySet(ctx, invented(i));
  assert.equal(capabilitySet(ctx, invented(0)), capabilitySet(ctx, invented(0)));
  const beyond = capabilitySet(ctx, invented(1_000));
  assert.deepEqual([...beyond], ['INVENTED_1000']);
  assert.notEqual(capabilitySet(ctx, invented(1_000)), beyond);
  assert.equal(capabilitySets.size, 256);
});

test('an empty id is no id', () => {
  assert.equal(agentIdOf({ hostname: 'h' }), undefined);
  assert.equal(agentIdOf({ hostname: 'h', id: { value: '' } }), undefined);
  assert.equal(agentIdOf({ hostname: 'h', id: { value: 'S1' } }), 'S1');
});
