import assert from 'node:assert/strict';
import test from 'node:test';
import { isTerminal, isTerminalOperation, taskStateFor } from './task-states.js';

test('which states of tasks and operations are terminal', () => {
  const table: readonly (readonly [isTerminal: boolean, states: string])[] = [
    [true, 'TASK_FINISHED TASK_FAILED TASK_KILLED TASK_ERROR TASK_LOST TASK_DROPPED TASK_GONE TASK_GONE_BY_OPERATOR'],
    [false, 'TASK_STAGING TASK_STARTING TASK_RUNNING TASK_KILLING TASK_UNREACHABLE TASK_UNKNOWN'],
  ];
  for (const [expected, states] of table) {
    for (const state of states.split(' ')) assert.equal(isTerminal(state), expected, state);
  }
  const operations: readonly (readonly [isTerminal: boolean, states: string])[] = [
    [true, 'FINISHED FAILED ERROR DROPPED GONE_BY_OPERATOR'],
    [false, 'UNSUPPORTED PENDING UNREACHABLE RECOVERING UNKNOWN'],
  ];
  for (const [expected, states] of operations) {
    for (const state of states.split(' ')) assert.equal(isTerminalOperation(`OPERATION_${state}`), expected, state);
  }
  assert.deepEqual([isTerminal(undefined), isTerminalOperation(undefined)], [false, false]);
});

test('a framework without PARTITION_AWARE gets TASK_LOST for the states that came with the capability', () => {
  assert.deepEqual(
    [taskStateFor(true, 'TASK_UNREACHABLE'), taskStateFor(false, 'TASK_UNREACHABLE')],
    ['TASK_UNREACHABLE', 'TASK_LOST'],
  );
});
