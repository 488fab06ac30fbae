// Backups of the registry with real masters: from a work_dir, ZooKeeper and etcd, while the master runs, into an empty store.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { skipWithout, testServer } from '@meseta/coordination/testing/servers';
import { until } from '@meseta/platform/testing/until';
import { connectMaster } from '@meseta/sdk';
import { readElectedMaster } from '@meseta/wire/leader-info';
import { createDaemons, type Daemon, type Daemons } from '../testing/daemons.js';

interface Ended {
  readonly status: number;
  readonly text: string;
}

const registry = (verb: 'backup' | 'restore', ...argv: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const command = [join(process.cwd(), 'bin/meseta'), 'registry', verb, ...argv];
    execFile(process.execPath, command, { timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), text: stdout + stderr }),
    );
  });

const weights = [
  { role: 'a', weight: 2 },
  { role: 'b', weight: 0.5 },
];
const quota_configs = [{ role: 'a', limits: { cpus: { value: 3 } } }];

async function leadAndSet(master: Daemon): Promise<void> {
  const client = connectMaster(master.address);
  await until('the master leads', async () => (await client.call('GET_WEIGHTS')).ok);
  const set = await client.call('UPDATE_WEIGHTS', { weight_infos: weights });
  const limited = await client.call('UPDATE_QUOTA', { quota_configs });
  assert.ok(set.ok && limited.ok, JSON.stringify([set, limited]));
}

async function settingsOf(master: Daemon) {
  const client = connectMaster(master.address);
  await until('the master leads', async () => (await client.call('GET_WEIGHTS')).ok);
  const [set, quota] = [await client.call('GET_WEIGHTS'), await client.call('GET_QUOTA')];
  assert.ok(set.ok && quota.ok);
  const byRole = [...(set.value.weight_infos ?? [])].sort((x, y) => ((x.role ?? '') < (y.role ?? '') ? -1 : 1));
  return [byRole, quota.value.status?.configs?.map(({ role, limits }) => ({ role, limits }))];
}

/** How long a command waits for a service that does not answer. */
const CONTACT_MS = 15_000;

const EXPECTED = [weights, quota_configs];

/** The authorities that agents read in the election, or the error of the MasterInfo. */
function watchLeaders(address: string) {
  const opened = coordinatorAt(address);
  assert.ok(opened.ok);
  const coordination = opened.value({ sessionTimeoutMs: 10_000, warn: () => {} });
  const seen = new Set<string>();
  coordination.watch((leader) => {
    const read = leader && readElectedMaster(leader.info);
    if (read !== undefined) seen.add(read.ok ? read.value.authority : read.error);
  });
  return {
    async close() {
      await coordination.close();
      return [...seen];
    },
  };
}

async function withDaemons(use: (daemons: Daemons) => Promise<void>): Promise<void> {
  const daemons = createDaemons();
  try {
    await use(daemons);
  } finally {
    await daemons.stop();
  }
}

test(
  'BACKUP-1, BACKUP-2, BACKUP-3: the registry of a work_dir is backed up while its master runs, and restored into an empty one only',
  {
    timeout: 240_000,
  },
  () =>
    withDaemons(async (daemons) => {
      const file = join(daemons.directory, 'backup');
      const workDir = join(daemons.directory, 'master');
      const master = await daemons.master();
      await leadAndSet(master);
      const made = await registry('backup', file, `--work-dir=${workDir}`);
      assert.deepEqual([made.status, /: 0 agents, .* 1 quotas, 2 weights/.test(made.text)], [0, true], made.text);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const again = await registry('backup', file, `--work-dir=${workDir}`);
      assert.equal(again.status, 1);
      assert.match(again.text, /exists; a backup is never overwritten\n$/);
      const running = await registry('restore', file, `--work-dir=${workDir}`);
      assert.equal(running.status, 1);
      assert.match(running.text, /another process/);
      await master.stop();
      const full = await registry('restore', file, `--work-dir=${workDir}`);
      assert.equal(full.status, 1);
      assert.match(full.text, /the store has a registry; a backup is restored only into an empty one\n$/);

      const damaged = join(daemons.directory, 'damaged');
      copyFileSync(file, damaged);
      appendFileSync(damaged, '["weight","c",3]\n');
      const newer = join(daemons.directory, 'newer');
      writeFileSync(
        newer,
        readFileSync(file, 'utf8').replace('"meseta_registry_backup":1', '"meseta_registry_backup":2'),
      );
      renameSync(workDir, join(daemons.directory, 'former'));
      for (const [path, says] of [
        [damaged, /is damaged: its SHA-256 is/],
        [newer, /a backup of version 2, and this version reads version 1: use the newer version that wrote it/],
        [join(daemons.directory, 'master.log'), /it is not a backup of a registry/],
      ] as const) {
        const refused = await registry('restore', path, `--work-dir=${workDir}`);
        assert.equal(refused.status, 1);
        assert.match(refused.text, says);
      }
      const restored = await registry('restore', file, `--work-dir=${workDir}`);
      assert.equal(restored.status, 0, restored.text);
      const successor = await daemons.master();
      assert.deepEqual(await settingsOf(successor), EXPECTED);
    }),
);

for (const kind of ['zookeeper', 'etcd'] as const) {
  test(
    `BACKUP-1, BACKUP-3, BACKUP-4: the registry in ${kind} is backed up while a master leads, and restored at an empty path`,
    {
      skip: skipWithout(kind),
      timeout: 240_000,
    },
    () =>
      withDaemons(async (daemons) => {
        const server = (await testServer(kind)).url;
        const file = join(daemons.directory, 'backup');
        const flag = kind === 'etcd' ? 'coordinator' : 'zk';
        const flags = (path: string) => [`--${flag}=${server}/${path}`, '--quorum=1', '--zk_session_timeout=4secs'];
        const master = await daemons.master(flags('old'));
        await leadAndSet(master);
        const beganMs = performance.now();
        const made = await registry('backup', file, `--coordinator=${server}/old`);
        assert.equal(made.status, 0, made.text);
        assert.ok(performance.now() - beganMs < CONTACT_MS, 'the command ends when the backup is done');
        const led = await registry('restore', file, `--coordinator=${server}/old`);
        assert.equal(led.status, 1);
        assert.match(led.text, /no term could be begun: stop all masters, and check that the service answers/);
        await master.stop();
        const full = await registry('restore', file, `--coordinator=${server}/old`);
        assert.match(full.text, /the store has a registry; a backup is restored only into an empty one\n$/);
        const leaders = watchLeaders(`${server}/new`);
        const restored = await registry('restore', file, `--coordinator=${server}/new`);
        assert.equal(restored.status, 0, restored.text);
        // The observer may miss a leader that is replaced at once.
        for (const leader of await leaders.close()) assert.equal(leader, 'localhost:1');
        const successor = await daemons.master(flags('new'));
        assert.deepEqual(await settingsOf(successor), EXPECTED);
      }),
  );
}
