import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../core/testing.js';
import { approveAll } from './approver.js';
import { maintenanceStatusOf } from './v1-responses.js';

test('the maintenance status lists each draining machine, without going through the agents for each', () => {
  const world = createWorld();
  for (let i = 0; i < 5; i++) world.agent();
  const machine_ids = ['m0', 'm1', 'm2', 'm3'].map((hostname) => ({ hostname }));
  const windows = [{ machine_ids, unavailability: { start: { nanoseconds: 1n } } }];
  world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } });
  const { registered } = world.master.state.agents;
  let visits = 0;
  const values = registered.values.bind(registered);
  registered.values = () => {
    visits++;
    return values();
  };
  const { draining_machines = [] } = maintenanceStatusOf(world.master.state, approveAll);
  assert.deepEqual(
    draining_machines.map(({ id }) => id.hostname),
    ['m0', 'm1', 'm2', 'm3'],
  );
  assert.ok(visits <= 1, `${visits} passes over the agents`);
});
