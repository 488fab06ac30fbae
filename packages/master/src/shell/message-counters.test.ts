import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { MasterState } from '../core/state.js';
import { createMessageCounters } from './message-counters.js';

const driver = 'scheduler(1)@10.0.0.2:1' as Pid;
const stranger = 'scheduler(2)@10.0.0.3:1' as Pid;

function stage() {
  const frameworks = new Map<string, unknown>([
    ['driver', { info: { principal: 'p' } }],
    ['http', { info: { principal: 'web' } }],
    ['without a principal', { info: {} }],
  ]);
  const frameworkByPid = new Map([[driver, 'driver']]);
  const state = { frameworks, frameworkByPid } as unknown as MasterState;
  return { frameworks, frameworkByPid, counters: createMessageCounters(state) };
}

test('messages of drivers are counted by principal when they arrive and when they are processed', () => {
  const { counters } = stage();
  counters.countReceived(driver);
  counters.countReceived(driver);
  counters.countReceived(stranger);
  counters.beginProcessing(driver)();
  counters.beginProcessing(stranger)();
  assert.deepEqual(
    [...counters.metrics()],
    [
      ['frameworks/p/messages_received', 2],
      ['frameworks/p/messages_processed', 1],
      ['frameworks/web/messages_received', 0],
      ['frameworks/web/messages_processed', 0],
    ],
  );
});

test('MESSAGE-COUNTERS-1: the counts of a principal are deleted with its last framework', () => {
  const { counters, frameworks, frameworkByPid } = stage();
  counters.countReceived(driver);
  const processed = counters.beginProcessing(driver);
  frameworks.delete('driver');
  frameworkByPid.delete(driver);
  processed();
  assert.equal(counters.metrics().has('frameworks/p/messages_received'), false);
  frameworks.set('driver', { info: { principal: 'p' } });
  frameworkByPid.set(driver, 'driver');
  assert.equal(counters.metrics().get('frameworks/p/messages_received'), 0);
});
