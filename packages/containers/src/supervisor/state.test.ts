import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addProcess, createProcessTable, parseStat } from '../processes/process-table.js';
import { findContainerProcesses } from './state.js';

test('SUPERVISOR-3: a process that reuses the pid of an ended first process is not one of the container', () => {
  const table = createProcessTable();
  const stat = parseStat('100 (other) S 1 100 100 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 700 0 3');
  assert.ok(stat);
  addProcess(table, stat);
  const pidsOf = (startTicks: number | undefined) =>
    findContainerProcesses(table, { pid: 100, startTicks }, new Set()).map(({ pid }) => pid);
  assert.deepEqual(pidsOf(500), []);
  assert.deepEqual(pidsOf(700), [100]);
  assert.deepEqual(pidsOf(undefined), [100]);
});
