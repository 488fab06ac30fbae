import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalCoordination, createMemoryStore } from '@meseta/coordination';
import { createLogger } from '@meseta/platform';
import { until } from '@meseta/platform/testing/until';
import { startMaster } from '../start.js';
import { configure, startLeader } from '../testing.js';
import { startRehearsal } from './rehearsal.js';

async function configuration() {
  const lines: string[] = [];
  const log = createLogger({ component: 'test', level: 'info', write: (line) => void lines.push(line) });
  const config = await configure(['--registry=in_memory', '--port=0', '--hostname=localhost']);
  assert.ok(config.ok);
  return { lines, config: { ...config.value, log } };
}

async function metricsOf(address: string): Promise<Readonly<Record<string, number>>> {
  return (await (await fetch(`http://${address}/metrics/snapshot`)).json()) as Readonly<Record<string, number>>;
}

/** Metrics of the process and of the machine, and those that change with each request. */
const CHANGES = /^(meseta|system)\/|uptime_secs|elected|allocation_run|event_queue|registrar\/state|http_/;

test('REHEARSAL-1: registrations, launches and renderings are rehearsed; the master that serves shows nothing of it', async () => {
  const { lines, config } = await configuration();
  const master = await startLeader(['--registry=in_memory']);
  const before = await metricsOf(master.address);
  const rehearsal = startRehearsal(config, { delayMs: 0, rounds: [1, 10] });
  const counts = await rehearsal.ready;
  // Of eleven agents in the registries, three more that register, and two that lose their connection.
  assert.equal(counts?.registrations, 11 + 3 + 2);
  assert.deepEqual([counts.launches, counts.updates], [11, 22]);
  assert.ok(counts.responses > 100, `${counts.responses} responses`);
  const after = await metricsOf(master.address);
  assert.deepEqual(Object.keys(after), Object.keys(before));
  const changed = Object.keys(after).filter((name) => after[name] !== before[name] && !CHANGES.test(name));
  assert.deepEqual(changed, []);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /ready to lead: rehearsed 16 registrations, 11 launches/);
  rehearsal.stop();
  await master.stop();
});

test('REHEARSAL-3: a rehearsal works in short slices', async () => {
  const { config } = await configuration();
  let turns = 0;
  let isCounting = true;
  const countTurns = (): void => {
    turns++;
    if (isCounting) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  const before = process.cpuUsage();
  const rehearsal = startRehearsal(config, { delayMs: 0, rounds: [30] });
  await rehearsal.ready;
  const { user, system } = process.cpuUsage(before);
  isCounting = false;
  rehearsal.stop();
  // On average: the processor time of a single turn has that of V8's other threads.
  assert.ok((user + system) / 1000 / turns < 5, `${(user + system) / 1000} ms in ${turns} turns`);
});

test('REHEARSAL-1, REHEARSAL-4: the state of the last round is kept until the rehearsal is stopped', async () => {
  const { config, lines } = await configuration();
  const rehearsal = startRehearsal(config, { delayMs: 0, rounds: [1, 2] });
  await rehearsal.ready;
  assert.equal(rehearsal.kept()?.agents.registered.size, 2 + 1);
  rehearsal.stop();
  assert.equal(rehearsal.kept(), undefined);
  const stopped = startRehearsal(config, { delayMs: 0, rounds: [1] });
  stopped.stop();
  assert.equal(await stopped.ready, undefined);
  assert.equal(lines.length, 1);
});

test('REHEARSAL-2: a standby that rehearses and is elected leads with the registry of its cluster, and nothing else', async () => {
  const { lines, config } = await configuration();
  const coordination = createLocalCoordination(createMemoryStore());
  const otherTerm = await coordination.contend(Buffer.from('{}'));
  const standby = await startMaster(
    {
      ...config,
      rehearses: true,
      registry: {
        kind: 'coordinator',
        open: () => ({ ...coordination, readLog: assert.fail }),
        sessionTimeoutMs: 10_000,
      },
    },
    assert.fail,
  );
  assert.ok(standby.ok);
  const { address } = standby.value;
  const before = process.cpuUsage().user;
  await until('the rehearsal is under way', () => process.cpuUsage().user - before > 500_000);
  assert.equal((await fetch(`http://${address}/state`)).status, 503);
  await otherTerm.resign();
  await until('the standby leads', async () => (await fetch(`http://${address}/state`)).status === 200);
  const state = (await (await fetch(`http://${address}/state`)).json()) as Readonly<Record<string, unknown[]>>;
  assert.deepEqual([state['slaves'], state['frameworks'], state['completed_frameworks']], [[], [], []]);
  const after = await metricsOf(address);
  assert.equal(after['master/elected'], 1);
  assert.equal(after['master/recovery_slave_removals'], 0);
  assert.ok(!lines.some((line) => line.includes('rehears')), lines.join('\n'));
  await standby.value.stop();
});
