import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AgentId, err } from '@meseta/base';
import {
  createLocalCoordination,
  createMemoryStore,
  type FencedLog,
  openLmdbStore,
  type StoreError,
} from '@meseta/coordination';
import { encodeAgentInfo } from '../registry/agent-info.js';
import { applyToRegistry, type RegistryOperation } from '../registry/operations.js';
import { emptyRegistry, type RegistryState } from '../registry/state.js';
import { createMasterTimings } from '../views/metrics.js';
import { createRegistryLog, type RegistryLog } from './registry-log.js';

const agents = 4000;
const batches = 60;

/** A registry's log over a real store; `write` persists and applies, as the core does. */
async function openLog(path: string) {
  const opened = await openLmdbStore(path, { warn: assert.fail, onSpare: () => {} });
  assert.ok(opened.ok);
  const coordination = createLocalCoordination(opened.value);
  const term = await coordination.contend(new Uint8Array());
  let persisted = (): void => {};
  const timings = createMasterTimings();
  const log: RegistryLog = createRegistryLog({
    log: coordination.openLog(term),
    timings,
    onPersisted: () => persisted(),
    onFailure: (text) => assert.fail(text),
  });
  const contents = await log.read();
  assert.ok(contents.ok);
  const registry: RegistryState = contents.value;
  return {
    registry,
    timings,
    async write(operations: readonly RegistryOperation[]): Promise<void> {
      const done = new Promise<void>((resolve) => {
        persisted = resolve;
      });
      log.persist(operations, registry);
      await done;
      for (const operation of operations) assert.ok(applyToRegistry(registry, operation).ok);
    },
    close: coordination.close,
  };
}

const infoOf = (n: number) => ({
  hostname: `host-${n}.${'x'.repeat(200)}`,
  id: { value: `agent-${n}` as AgentId },
  resources: [{ name: 'cpus', type: 'SCALAR' as const, scalar: { value: n } }],
});

const flap = (round: number): readonly RegistryOperation[] =>
  Array.from(
    { length: agents },
    (_, n): RegistryOperation =>
      round % 2 === 0
        ? { kind: 'markAgentUnreachable', agentId: infoOf(n).id.value, atMs: round }
        : { kind: 'markAgentReachable', agentId: infoOf(n).id.value, info: encodeAgentInfo(infoOf(n)) },
  );

test('REGISTRYLOG-2: a snapshot replaces a log that has grown: the disk use is bounded, and a restart reads the same registry', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'registry-'));
  try {
    const first = await openLog(join(directory, 'registry'));
    const admissions = Array.from({ length: agents }, (_, n) => ({
      kind: 'admitAgent' as const,
      agentId: infoOf(n).id.value,
      info: encodeAgentInfo(infoOf(n)),
    }));
    await first.write(admissions);
    assert.equal(first.registry.agents.size, agents);
    let writtenBytes = 0;
    for (let round = 0; round < batches; round++) {
      const operations = flap(round);
      writtenBytes += JSON.stringify(operations).length;
      await first.write(operations);
      // Never more than the snapshot, 16 MiB and one batch.
      assert.ok(first.timings.registrySizeBytes < 20 * 2 ** 20, `${first.timings.registrySizeBytes} in round ${round}`);
    }
    await first.close();
    const { size } = await stat(join(directory, 'registry', 'data.mdb')).catch(() => stat(join(directory, 'registry')));
    const spareBytes = 4 * 2 ** 20;
    assert.ok(
      writtenBytes > 48 * 2 ** 20 && size - spareBytes < writtenBytes / 2,
      `${size} bytes for ${writtenBytes} written`,
    );

    const second = await openLog(join(directory, 'registry'));
    assert.deepEqual(second.registry, first.registry);
    await second.write(flap(0).slice(0, 1));
    await second.close();
    const third = await openLog(join(directory, 'registry'));
    assert.deepEqual(third.registry, second.registry);
    assert.notDeepEqual(third.registry, first.registry);
    await third.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

async function memoryLog(): Promise<FencedLog> {
  const coordination = createLocalCoordination(createMemoryStore());
  return coordination.openLog(await coordination.contend(new Uint8Array()));
}

const admission = (n: number): RegistryOperation => ({
  kind: 'admitAgent',
  agentId: infoOf(n).id.value,
  info: encodeAgentInfo(infoOf(n)),
});

test('REGISTRYLOG-1: batches are appended in order, and each is answered once it is durable', async () => {
  const store = await memoryLog();
  const pending: (() => void)[] = [];
  let answers = 0;
  const log = createRegistryLog({
    log: {
      ...store,
      async append(batch) {
        const written = await store.append(batch);
        await new Promise<void>((resolve) => pending.push(resolve));
        return written;
      },
    },
    timings: createMasterTimings(),
    onPersisted: () => {
      answers++;
    },
    onFailure: assert.fail,
  });
  for (const n of [0, 1]) {
    log.persist([admission(n)], emptyRegistry());
    await new Promise(setImmediate);
    assert.equal(answers, n);
    pending.shift()?.();
    await new Promise(setImmediate);
    assert.equal(answers, n + 1);
  }
  const contents = await log.read();
  assert.ok(contents.ok);
  assert.deepEqual([...contents.value.agents.keys()], ['agent-0', 'agent-1']);
});

test('REGISTRYLOG-3: a failed or fenced write ends the process with one line and is not answered', async () => {
  const outcomes: readonly (readonly [error: StoreError, says: string])[] = [
    [{ code: 'unknownOutcome', text: 'the disk is full' }, "the registry can't be written: the disk is full"],
    [{ code: 'fenced', text: 'another master has taken over' }, 'another master has taken over'],
  ];
  for (const [error, says] of outcomes) {
    const failures: string[] = [];
    const log = createRegistryLog({
      log: { ...(await memoryLog()), append: async () => err(error) },
      timings: createMasterTimings(),
      onPersisted: () => assert.fail('answered'),
      onFailure: (text) => failures.push(text),
    });
    log.persist([admission(0)], emptyRegistry());
    await new Promise(setImmediate);
    assert.deepEqual(failures, [says]);
  }
});

test('ENCODE-2: the first batch of a term begins with its format; a registry of a newer format is not read', async () => {
  const store = await memoryLog();
  const log = createRegistryLog({
    log: store,
    timings: createMasterTimings(),
    onPersisted: () => {},
    onFailure: assert.fail,
  });
  for (const n of [0, 1]) log.persist([admission(n)], emptyRegistry());
  const contents = await store.read();
  assert.ok(contents.ok);
  const lines = contents.value.batches.map((batch) => Buffer.from(batch).toString().split('\n')[0]);
  assert.equal(lines[0], '["format",1]');
  assert.match(lines[1] ?? '', /^\{"kind":"admitAgent"/);
  await store.append(Buffer.from('["format",7]\n{"kind":"pinAgent"}'));
  const read = await log.read();
  const text = 'it has format 7, and this version reads formats up to 1: use the newer version that wrote it';
  assert.deepEqual(read, err({ code: 'unavailable', text }));
});
