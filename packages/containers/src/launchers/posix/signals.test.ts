import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { addProcess, createProcessTable, parseStat } from '../../processes/process-table.js';
import { signalContainer } from './signals.js';
import type { Container, PosixState } from './state.js';

const SIGTERM = 15;
const containerId = 'c' as ContainerId;
const container: Container = {
  containerId,
  phase: 'running',
  pid: 100,
  startTicks: 500,
  supervisorPid: 99,
  destroyed: false,
  status: undefined,
  sentSignals: new Set([SIGTERM]),
  pendingSignals: [],
  launchedMs: 0,
};
const statLine = (pid: number, startTicks: number): string =>
  `${pid} (sh) S 99 100 100 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 ${startTicks} 0 3`;

test('POSIX-4: a container that forks without pause can neither delay a signal for ever nor direct it to reused pids', async () => {
  const sent: string[] = [];
  let notify = (): void => {};
  const continued = new Promise<void>((resolve) => {
    notify = resolve;
  });
  const state: PosixState = {
    // By now another process has the pid of each that the table showed, except the first.
    files: {
      ...createFiles(),
      readTextNow: (path) => statLine(Number(path.split('/')[2]), path === '/proc/100/stat' ? 500 : 9000),
    },
    processes: {
      ...createProcesses(),
      kill(pid, signal) {
        sent.push(`${signal} ${pid}`);
        if (signal === 18) notify();
        return true;
      },
    },
    directory: '/',
    bootId: '',
    containers: new Map([[containerId, container]]),
    foreignSessions: new Set(),
    onEvent: () => {},
    closed: false,
  };
  let readings = 0;
  const readTable = async () => {
    readings++;
    const table = createProcessTable();
    for (const line of [statLine(100, 500), statLine(100 + readings, 600 + readings)]) {
      const stat = parseStat(line);
      assert.ok(stat);
      addProcess(table, stat);
    }
    assert.ok(readings < 10_000, 'the signal is never sent');
    return table;
  };
  signalContainer(state, readTable, containerId, SIGTERM);
  await continued;
  assert.deepEqual(
    sent.filter((each) => !each.startsWith('19 ')),
    ['15 100', '18 100'],
  );
});
