import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import { acknowledgements } from './acknowledgements.js';
import { createRecordKeeper } from './records.js';

const TASK = { task_id: { value: 't' }, agent_id: { value: 'a' } };
const master = {
  name: 'master-0',
  core: { state: { frameworks: new Map([['f', { tasks: new Map([['t', TASK]]) }]]) } },
} as unknown as MasterProcess;

/** The failures of a master that accepted these acknowledgements of a task, and then forwards an update of it. */
function failuresAfter(accepted: readonly string[], forwarded: string): readonly string[] {
  const failures: string[] = [];
  const world = { fail: (invariant: string) => void failures.push(invariant) };
  const { observer } = acknowledgements.create({ world } as unknown as Cluster, () => {}, createRecordKeeper());
  const step = (input: unknown, effect: unknown): void => {
    observer.beforeMasterStep?.(master, input as MasterInput);
    observer.masterStepped?.(master, input as MasterInput, [effect as MasterEffect]);
  };
  observer.masterStarted?.(master);
  for (const uuid of accepted) {
    const call = { framework_id: { value: 'f' }, type: 'ACKNOWLEDGE', acknowledge: { ...TASK, uuid } };
    const body = { ...TASK, framework_id: { value: 'f' }, uuid };
    step(
      { kind: 'schedulerCall', call },
      { kind: 'send', message: { name: 'StatusUpdateAcknowledgementMessage', body } },
    );
  }
  const status = { ...TASK, state: 'TASK_RUNNING', uuid: forwarded };
  step({ kind: 'tick' }, { kind: 'event', event: { type: 'UPDATE', update: { status } } });
  return failures;
}

const FAILURE = 'the master forwards no acknowledged update again';
const uuids = Array.from({ length: 33 }, (_, n) => `u${n}`);

test('of a task, the latest 32 acknowledged updates are not forwarded again', () => {
  assert.deepEqual(failuresAfter(uuids, 'u1'), [FAILURE]);
  assert.deepEqual(failuresAfter(uuids, 'u0'), []);
});

test('an acknowledgement that comes again does not count as a later one', () => {
  const [first = '', ...others] = uuids;
  assert.deepEqual(failuresAfter([...others.slice(0, 31), first, 'u1', 'u32'], 'u2'), [FAILURE]);
  assert.deepEqual(failuresAfter([first, ...others.slice(0, 31), first, 'u32'], first), []);
});
