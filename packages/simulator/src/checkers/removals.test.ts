import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterInput } from '@meseta/master/core/io';
import type { SchedulerEvent } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import type { Cluster } from '../run/cluster.js';
import { createRecordKeeper } from './records.js';
import { removals } from './removals.js';

const removed: SchedulerEvent = { type: 'ERROR', error: { message: 'Framework has been removed' } };
const heartbeat: SchedulerEvent = { type: 'HEARTBEAT' };

function observed(failoverTimeout: number) {
  const failures: string[] = [];
  let nowMs = 0;
  const world = { timeline: { nowMs: () => nowMs }, fail: (invariant: string) => void failures.push(invariant) };
  const { observer } = removals.create({ world } as unknown as Cluster, () => {}, createRecordKeeper());
  const client = {
    name: 'f',
    info: { failover_timeout: failoverTimeout },
    memory: { frameworkId: 'id' },
  } as unknown as SchedulerClient;
  return {
    failures,
    observer,
    receive(atMs: number, event: SchedulerEvent): void {
      nowMs = atMs;
      observer.schedulerReceived?.(client, event);
    },
  };
}

test('a framework that is told that it was removed before its failover timeout, without a teardown, is a failure', () => {
  const { failures, receive } = observed(60);
  receive(1_000, heartbeat);
  receive(61_000, removed);
  assert.deepEqual(failures, []);
  receive(62_000, heartbeat);
  receive(100_000, removed);
  assert.deepEqual(failures, ['a framework is removed only for a reason']);
});

test('a framework that was torn down, or without a failover timeout, may be removed', () => {
  const call = { type: 'TEARDOWN', teardown: { framework_id: { value: 'id' } } };
  const tearDown = { kind: 'operatorCall', request: 'r', principal: undefined, call } as unknown as MasterInput;
  const torn = observed(3600);
  torn.receive(1_000, heartbeat);
  torn.observer.beforeMasterStep?.({} as MasterProcess, tearDown);
  torn.receive(2_000, removed);
  const brief = observed(0);
  brief.receive(1_000, heartbeat);
  brief.receive(1_001, removed);
  assert.deepEqual([torn.failures, brief.failures], [[], []]);
});
