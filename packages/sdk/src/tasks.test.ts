import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offer, Resource } from '@meseta/wire';
import { commandTask, fits } from './tasks.js';

const scalar = (name: string, value: number, more: Partial<Resource> = {}): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const offerOf = (...resources: readonly Resource[]): Offer => ({
  id: { value: 'o' },
  framework_id: { value: 'f' },
  agent_id: { value: 'a' },
  hostname: 'h',
  resources,
});

test('resources fit as often as the scarcest of them does, in thousandths, reserved ones not counted', () => {
  const reservations = [{ type: 'DYNAMIC' as const, role: 'web' }];
  const table: readonly (readonly [Offer, Readonly<Record<string, number>>, number])[] = [
    [offerOf(scalar('cpus', 4), scalar('mem', 100)), { cpus: 1, mem: 32 }, 3],
    // In binary fractions 0.3 / 0.1 is less than 3.
    [offerOf(scalar('cpus', 0.3)), { cpus: 0.1 }, 3],
    [offerOf(scalar('cpus', 0.1), scalar('cpus', 0.2)), { cpus: 0.3 }, 1],
    [offerOf(scalar('cpus', 1)), { cpus: 1, gpus: 0 }, 1],
    [offerOf(scalar('cpus', 1)), { cpus: 1, gpus: 1 }, 0],
    [offerOf(scalar('cpus', 1, { reservations }), scalar('cpus', 1, { role: 'web' })), { cpus: 1 }, 0],
    [offerOf(), {}, Number.POSITIVE_INFINITY],
  ];
  for (const [offer, resources, times] of table) assert.equal(fits(offer, resources), times, JSON.stringify(resources));
});

test('a command task is for the agent of the offer, with resources of the role that the offer is allocated to', () => {
  const allocation_info = { role: 'web' };
  const task = commandTask({ ...offerOf(), allocation_info }, { id: 't', command: 'true', resources: { cpus: 1 } });
  assert.deepEqual(task, {
    name: 't',
    task_id: { value: 't' },
    agent_id: { value: 'a' },
    resources: [scalar('cpus', 1, { allocation_info })],
    command: { value: 'true', shell: true },
  });
});
