import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMasterClient, createSchedulerClient } from '@meseta/api';
import { startMaster } from './start.js';
import { configure, startLeader } from './testing.js';

/** Starts a master, calls `use` with its URL, and stops it. */
async function withMaster(argv: readonly string[], use: (url: string) => Promise<void>): Promise<void> {
  const master = await startLeader(argv);
  try {
    await use(`http://${master.address}`);
  } finally {
    await master.stop();
  }
}

const inMemory = ['--registry=in_memory'];

test('a flag with an invalid value is refused with an error that names it', async () => {
  const table: readonly (readonly [argv: readonly string[], flag: string | undefined])[] = [
    [inMemory, undefined],
    [[], 'work_dir'],
    [['--registry=paper'], 'registry'],
    [[...inMemory, '--quorum=2'], 'quorum'],
    [[...inMemory, '--zk=zk://a:2181/mesos'], 'registry'],
    [['--zk=zk://me:secret@a:2181'], 'zk'],
    [['--zk=zk://a/mesos', '--zk_session_timeout=1ms'], 'zk_session_timeout'],
    [['--zk=zk://a/mesos', '--quorum=2'], undefined],
    [['--zk=etcd://a/meseta'], 'zk'],
    [['--zk=zk://a/mesos', '--coordinator=etcd://a/meseta'], 'coordinator'],
    [['--coordinator=etcd://me:secret@a:2379'], 'coordinator'],
    [[...inMemory, '--coordinator=etcd://a/meseta'], 'registry'],
    [['--coordinator=etcd://a/meseta', '--quorum=2'], undefined],
    [[...inMemory, '--ip=localhost'], 'ip'],
    [[...inMemory, '--agent_reregister_timeout=1mins'], 'agent_reregister_timeout'],
    [[...inMemory, '--domain={}x'], 'domain'],
    [[...inMemory, '--min_allocatable_resources=cpus'], 'min_allocatable_resources'],
  ];
  for (const [argv, flag] of table) {
    const config = await configure(argv);
    assert.equal(config.ok ? undefined : config.error.flag, flag, argv.join(' '));
  }
});

test('a scheduler subscribes, calls on its own stream and is torn down, in both media types', async () => {
  await withMaster(inMemory, async (url) => {
    for (const mediaType of ['application/json', 'application/x-protobuf'] as const) {
      const scheduler = createSchedulerClient({ address: url, mediaType });
      const stream = await scheduler.subscribe({
        type: 'SUBSCRIBE',
        subscribe: { framework_info: { user: 'root', name: `by ${mediaType}`, failover_timeout: 60 } },
      });
      assert.ok(stream.ok && stream.value.id !== undefined);
      const events = stream.value[Symbol.asyncIterator]();
      const first = (await events.next()).value;
      assert.equal(first?.type, 'SUBSCRIBED');
      assert.equal((await events.next()).value?.type, 'HEARTBEAT');
      const framework_id = first?.subscribed?.framework_id;
      assert.ok(framework_id);

      const revived = await scheduler.call({ type: 'REVIVE', framework_id }, stream.value.id);
      assert.deepEqual(revived, { ok: true, value: undefined });
      const foreign = await scheduler.call({ type: 'REVIVE', framework_id }, 'another stream');
      assert.equal(!foreign.ok && foreign.error.code === 'refused' ? foreign.error.status : 0, 400);

      const state = (await (await fetch(`${url}/master/state`)).json()) as { frameworks: { id: string }[] };
      assert.deepEqual(
        state.frameworks.map(({ id }) => id),
        [framework_id.value],
      );
      await createMasterClient({ address: url, mediaType }).call('TEARDOWN', { framework_id });
      assert.equal((await events.next()).done ?? false, true);
    }
  });
});

test('weights set by an operator are kept by a restart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'meseta-master-'));
  try {
    const weights = [{ role: 'web', weight: 2.5 }];
    await withMaster([`--work_dir=${directory}`], async (url) => {
      const set = await createMasterClient({ address: url }).call('UPDATE_WEIGHTS', { weight_infos: weights });
      assert.ok(set.ok, JSON.stringify(set));
    });
    await withMaster([`--work_dir=${directory}`], async (url) => {
      const shown = await createMasterClient({ address: url }).call('GET_WEIGHTS');
      assert.deepEqual(shown, { ok: true, value: { weight_infos: weights } });
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('the operator stream sends a snapshot of the state, then the events', async () => {
  await withMaster(inMemory, async (url) => {
    const operator = await createMasterClient({ address: url }).subscribe();
    assert.ok(operator.ok);
    const events = operator.value[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value;
    const first = await next();
    assert.equal(first?.subscribed?.heartbeat_interval_seconds, 15);
    assert.deepEqual(first?.subscribed?.get_state?.get_frameworks, {});
    assert.equal((await next())?.type, 'HEARTBEAT');
    const scheduler = createSchedulerClient({ address: url });
    const stream = await scheduler.subscribe({
      type: 'SUBSCRIBE',
      subscribe: { framework_info: { user: 'root', name: 'seen' } },
    });
    assert.ok(stream.ok);
    assert.equal((await next())?.framework_added?.framework.framework_info.name, 'seen');
    stream.value.close();
    operator.value.close();
  });
});

test("endpoints answer with Mesos' statuses", async () => {
  await withMaster(inMemory, async (url) => {
    const json = { 'content-type': 'application/json' };
    const table: readonly (readonly [path: string, init: RequestInit, status: number])[] = [
      ['/health', {}, 200],
      ['/master/health/', {}, 200],
      ['/state.json', {}, 404],
      ['/redirect', { redirect: 'manual' }, 307],
      ['/redirect/x', { redirect: 'manual' }, 404],
      ['/metrics/snapshot?timeout=soon', {}, 400],
      ['/state?jsonp=a(b)', {}, 400],
      ['/api/v1', {}, 405],
      ['/api/v1', { method: 'POST', body: '{"type":"GET_HEALTH"}', headers: json }, 200],
      ['/api/v1', { method: 'POST', body: '{"type":"GET_METRICS"}', headers: json }, 400],
      ['/api/v1', { method: 'POST', body: '{}', headers: { 'content-type': 'text/html' } }, 415],
      ['/api/v1/scheduler', { method: 'POST', body: '{"type":"SUBSCRIBE"}', headers: json }, 400],
      ['/teardown', { method: 'POST', body: '' }, 400],
      ['/quota/web', { method: 'PUT' }, 405],
      ['/machine/up', { method: 'POST', body: '{}' }, 400],
      ['/logging/toggle?level=9&duration=1secs', { method: 'POST' }, 400],
      ['/files/read', {}, 400],
      ['/files/read?path=/nowhere', {}, 404],
    ];
    for (const [path, init, status] of table) {
      const answer = await fetch(url + path, init);
      assert.equal(answer.status, status, `${path}: ${await answer.text()}`);
    }
  });
});

test('a port in use is the error addressInUse', async () => {
  await withMaster(inMemory, async (url) => {
    const config = await configure([...inMemory, `--port=${new URL(url).port}`, '--hostname=localhost']);
    assert.ok(config.ok);
    const second = await startMaster(config.value, assert.fail);
    assert.equal(second.ok ? undefined : second.error.code, 'addressInUse');
  });
});
