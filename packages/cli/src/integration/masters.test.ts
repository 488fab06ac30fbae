// Three masters as real processes, with a real ZooKeeper or etcd: the leader is stopped until its term has passed, and continued.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import type { ServerKind } from '@meseta/coordination/local-server';
import { skipWithout, testServer } from '@meseta/coordination/testing/servers';
import { pause, until } from '@meseta/platform/testing/until';
import { commandTask, connectMaster, connectScheduler, launch, type Offer, type Scheduler } from '@meseta/sdk';
import { readElectedMaster } from '@meseta/wire/leader-info';
import {
  type DaemonKind,
  type DaemonProcess,
  loopbackFlags,
  startDaemonProcess,
  untilHealthy,
} from '../daemon-process.js';
import { freePort } from '../testing/daemons.js';

const TERM = '--zk_session_timeout=4secs';

interface Masters {
  readonly directory: string;
  /** Of the election. */
  readonly address: string;
  /** By `localhost:port`. */
  readonly masters: ReadonlyMap<string, DaemonProcess>;
  /** The `localhost:port` that is elected now. */
  leader(): string | undefined;
  stop(): Promise<void>;
}

async function startThreeMasters(kind: ServerKind): Promise<Masters> {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-masters-'));
  mkdirSync(join(directory, 'runs'));
  const address = `${(await testServer(kind)).url}/cluster`;
  const started: DaemonProcess[] = [];
  const start = async (daemon: DaemonKind, name: string, flags: readonly string[]) => {
    const port = await freePort();
    const all = [...loopbackFlags(daemon, port, join(directory, name)), TERM, ...flags];
    const command = [join(process.cwd(), 'bin/meseta')] as const;
    const process_ = startDaemonProcess({ kind: daemon, command, flags: all, logFile: join(directory, `${name}.log`) });
    started.unshift(process_);
    await untilHealthy(process_, `127.0.0.1:${port}`, 60_000);
    return [`localhost:${port}`, process_] as const;
  };
  const election = [
    `--${kind === 'etcd' ? 'coordinator' : 'zk'}=${address}`,
    '--quorum=2',
    '--allocation_interval=100ms',
  ];
  const masters = new Map(await Promise.all([1, 2, 3].map((n) => start('master', `master-${n}`, election))));
  await start('agent', 'agent', [`--master=${address}`, '--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]']);
  const coordinator = coordinatorAt(address);
  assert.ok(coordinator.ok);
  const observer = coordinator.value({ sessionTimeoutMs: 4000, warn: () => {} });
  let leader: string | undefined;
  observer.watch((elected) => {
    const read = elected && readElectedMaster(elected.info);
    leader = read?.ok ? read.value.authority : undefined;
  });
  return {
    directory,
    address,
    masters,
    leader: () => leader,
    async stop() {
      await observer.close();
      // The agent first, so that it can unregister.
      for (const daemon of started) await daemon.stop({ timeoutMs: 20_000 });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Reads the events of a framework: its offers that are not used yet, its subscriptions and its tasks' last states. */
function follow(scheduler: Scheduler) {
  const seen = { offers: [] as Offer[], subscriptions: 0, states: new Map<string, string>() };
  const end = (async () => {
    for await (const event of scheduler) {
      if (event.subscribed) {
        seen.subscriptions++;
        seen.offers.length = 0;
      }
      seen.offers.push(...(event.offers?.offers ?? []));
      const status = event.update?.status;
      if (status) seen.states.set(status.task_id.value, status.state);
    }
  })().catch(() => {});
  return { seen, end };
}

for (const kind of ['zookeeper', 'etcd'] as const) {
  test(`LEADERSHIP-1: with ${kind}, a leader that was stopped past its term neither writes nor launches, and ends; all goes on at the new one`, {
    skip: skipWithout(kind),
    timeout: 180_000,
  }, async () => {
    const { directory, address, masters, leader, stop } = await startThreeMasters(kind);
    await until('a leader', () => leader() !== undefined);
    const old = leader() as string;
    const daemon = masters.get(old) as DaemonProcess;
    const runFile = (id: string): string => join(directory, 'runs', id);
    const accept = (scheduler: Scheduler, offer: Offer, id: string, seconds: number): Promise<void> => {
      const command = `echo ran >> ${runFile(id)}; sleep ${seconds}`;
      const operations = [launch([commandTask(offer, { id, command, resources: { cpus: 1, mem: 32 } })])];
      return scheduler.call('ACCEPT', {
        accept: { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } },
      });
    };

    const steady = connectScheduler({ master: address, framework: { name: 'steady' } });
    const steadyEvents = follow(steady);
    await until('an offer', () => steadyEvents.seen.offers.length > 0);
    await accept(steady, steadyEvents.seen.offers.shift() as Offer, 'across', 12);
    await steady.call('SUPPRESS');
    await until('the task runs', () => steadyEvents.seen.states.get('across') === 'TASK_RUNNING');

    const captive = connectScheduler({ master: old, framework: { name: 'captive' } });
    const captiveEvents = follow(captive);
    await until('an offer of the old leader', () => captiveEvents.seen.offers.length > 0);

    process.kill(daemon.pid, 'SIGSTOP');
    const launched = accept(captive, captiveEvents.seen.offers[0] as Offer, 'deposed', 0).then(
      () => 'accepted',
      () => 'failed',
    );
    const update = { weight_infos: [{ role: 'deposed', weight: 7 }] };
    const written = connectMaster(old).call('UPDATE_WEIGHTS', update);
    await until('another leader', () => leader() !== undefined && leader() !== old);
    // Long before the three heartbeats of 15 s for which a silent leader would be waited for.
    await until('the framework is at the new leader', () => steadyEvents.seen.subscriptions === 2, 20_000);
    await steady.call('REVIVE');
    await until('an offer of the new leader', () => steadyEvents.seen.offers.length > 0);
    await accept(steady, steadyEvents.seen.offers.shift() as Offer, 'after', 0);
    await until('the task ends', () => steadyEvents.seen.states.get('after') === 'TASK_FINISHED');

    process.kill(daemon.pid, 'SIGCONT');
    assert.equal(await daemon.ended, '1');
    assert.match(readFileSync(daemon.logFile, 'utf8'), /this master no longer leads/);
    assert.deepEqual([await launched, (await written).ok], ['failed', false]);
    await until('the first task ends', () => steadyEvents.seen.states.get('across') === 'TASK_FINISHED');
    // Time in which a launch of the deposed leader would start.
    await pause(1000);
    assert.equal(existsSync(runFile('deposed')), false);
    for (const id of ['across', 'after']) assert.equal(readFileSync(runFile(id), 'utf8'), 'ran\n');
    const client = connectMaster(address);
    const tasks = await client.call('GET_TASKS');
    const weights = await client.call('GET_WEIGHTS');
    assert.ok(tasks.ok && weights.ok);
    const { completed_tasks = [], tasks: running = [] } = tasks.value;
    const ids = new Set([...completed_tasks, ...running].map(({ task_id }) => task_id.value));
    assert.deepEqual([ids.has('deposed'), ids.has('after')], [false, true]);
    assert.deepEqual(weights.value.weight_infos ?? [], []);
    captive.close();
    await steady.teardown();
    await Promise.all([captiveEvents.end, steadyEvents.end]);
    await stop();
  });
}
