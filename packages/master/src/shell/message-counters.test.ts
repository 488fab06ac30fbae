import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId, Pid } from '@meseta/base';
import { type CountedFrameworks, createMessageCounters } from './message-counters.js';

const driverId = 'driver' as FrameworkId;
const driver = 'scheduler(1)@10.0.0.2:1' as Pid;
const unregistered = 'scheduler(2)@10.0.0.3:1' as Pid;

function stage() {
  const frameworks: Map<FrameworkId, { readonly info: { readonly principal?: string } }> = new Map([
    [driverId, { info: { principal: 'p' } }],
    ['http' as FrameworkId, { info: { principal: 'web' } }],
    ['without a principal' as FrameworkId, { info: {} }],
  ]);
  const frameworkByPid = new Map([[driver, driverId]]);
  const state: CountedFrameworks = { frameworks, frameworkByPid };
  return { frameworks, frameworkByPid, counters: createMessageCounters(state) };
}

test('messages of drivers are counted by principal when they arrive and when they are processed', () => {
  const { counters } = stage();
  counters.countReceived(driver);
  counters.countReceived(driver);
  counters.countReceived(unregistered);
  counters.beginProcessing(driver)();
  counters.beginProcessing(unregistered)();
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
  frameworks.delete(driverId);
  frameworkByPid.delete(driver);
  processed();
  assert.equal(counters.metrics().has('frameworks/p/messages_received'), false);
  frameworks.set(driverId, { info: { principal: 'p' } });
  frameworkByPid.set(driver, driverId);
  assert.equal(counters.metrics().get('frameworks/p/messages_received'), 0);
});
