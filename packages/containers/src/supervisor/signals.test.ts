import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { addProcess, createProcessTable, parseStat } from '../processes/process-table.js';
import { signalProcesses } from './signals.js';

const SIGTERM = 15;
const statLine = (pid: number, startTicks: number): string =>
  `${pid} (sh) S 99 100 100 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 ${startTicks} 0 3`;

test('SUPERVISOR-3: a container that forks without pause can neither delay a signal for ever nor direct it to reused pids', async () => {
  const sent: string[] = [];
  const ports = {
    // By now another process has the pid of each that the table showed, except the first.
    files: {
      ...createFiles(),
      readTextNow: (path: string) => statLine(Number(path.split('/')[2]), path === '/proc/100/stat' ? 500 : 9000),
    },
    processes: {
      ...createProcesses(),
      kill(pid: number, signal: number) {
        sent.push(`${signal} ${pid}`);
        return true;
      },
    },
    foreignSessions: new Set<number>(),
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
  await signalProcesses(ports, readTable, { pid: 100, startTicks: 500, setting: { cgroups: [] } }, SIGTERM);
  assert.deepEqual(
    sent.filter((each) => !each.startsWith('19 ')),
    ['15 100', '18 100'],
  );
});
