import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, task } from '../core/testing.js';
import { approveAll } from './approver.js';
import { getRoles } from './roles.js';
import { snapshotOf } from './snapshot.js';

test('the quantities of a role are those of its subtree, and not those of roles whose names begin alike', () => {
  const world = createWorld();
  world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ roles: ['a/b/c'] });
  world.subscribe({ roles: ['a/bc'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const { roles = [] } = getRoles(world.master.state, snapshotOf(world.master.state), approveAll);
  const cpus = new Map(roles.map(({ name, resources = [] }) => [name, resources.find((r) => r.name === 'cpus')]));
  const used = cpus.get('a/b/c')?.scalar?.value ?? 0;
  assert.ok(used > 0);
  for (const role of ['a', 'a/b', 'a/b/c']) assert.equal(cpus.get(role)?.scalar?.value, used, role);
  assert.equal(cpus.get('a/bc'), undefined);
});
