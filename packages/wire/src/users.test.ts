import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandInfo, ExecutorInfo, TaskInfo } from './index.js';
import { usersOfTask } from './users.js';

const command = (user?: string): CommandInfo => (user === undefined ? { value: 'x' } : { value: 'x', user });
const executor = (user?: string): ExecutorInfo => ({ executor_id: { value: 'e' }, command: command(user) });
const byDefault: ExecutorInfo = { executor_id: { value: 'e' }, type: 'DEFAULT' };

type Case = readonly [task: Partial<TaskInfo>, executor: ExecutorInfo | undefined, users: readonly string[]];

test("the users of a task are those that it and its executor name, and the framework's for commands that name none", () => {
  const table: readonly Case[] = [
    [{}, undefined, ['framework']],
    [{ command: command() }, undefined, ['framework']],
    [{ command: command('own') }, undefined, ['own']],
    [{ command: command('') }, undefined, ['']],
    [{}, executor('of-executor'), ['of-executor']],
    [{}, executor(), ['framework']],
    [{}, { executor_id: { value: 'e' } }, ['framework']],
    [{ command: command('own') }, executor('of-executor'), ['of-executor', 'own']],
    [{ command: command() }, executor('of-executor'), ['of-executor', 'framework']],
    [{ command: command('own') }, executor(), ['own', 'framework']],
    [{ command: command('own') }, byDefault, ['own']],
    [{ command: command() }, byDefault, ['framework']],
    [{}, byDefault, []],
    [{}, { ...byDefault, command: command('of-executor') }, ['of-executor']],
    [{ health_check: { command: command('of-health') } }, undefined, ['of-health', 'framework']],
    [{ health_check: { command: command() } }, undefined, ['framework']],
    [{ health_check: { type: 'HTTP' } }, undefined, ['framework']],
    [{ check: { type: 'COMMAND', command: { command: command('of-check') } } }, undefined, ['of-check', 'framework']],
    [{ check: { type: 'TCP' } }, undefined, ['framework']],
  ];
  for (const [more, ofExecutor, users] of table) {
    const task: TaskInfo = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' }, ...more };
    assert.deepEqual([...usersOfTask(task, ofExecutor, 'framework')], users, JSON.stringify([more, ofExecutor]));
  }
});
