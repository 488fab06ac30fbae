import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { closeInherited, keepFromChildren } from './descriptors.js';
import { createProcesses } from './processes.js';

const listing = { program: 'ls', arguments: ['/proc/self/fd'] };

/** A process that was given descriptors which it should not hand on, and that has a database open. */
async function child(directory: string): Promise<void> {
  closeInherited();
  const database = open({ path: directory, noSubdir: false });
  assert.deepEqual(keepFromChildren(`${directory}/data.mdb`), { ok: true, value: undefined });
  const run = await createProcesses().run(listing, { timeoutMs: 10_000 });
  assert.ok(run.ok);
  process.stdout.write(run.value.stdout);
  await database.close();
}

const directory = process.env['DESCRIPTORS_CHILD'];
if (directory !== undefined) {
  await child(directory);
  process.exit(0);
}

function inDirectory(work: (directory: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const made = mkdtempSync(`${tmpdir()}/meseta-descriptors-`);
    try {
      await work(made);
    } finally {
      rmSync(made, { recursive: true, force: true });
    }
  };
}

test(
  'DESCRIPTORS-1: children get 0, 1 and 2, whatever the process was started with and has open itself',
  inDirectory((made) => {
    const leaked = openSync('/etc/passwd', 'r');
    // Low ones, high ones, and a gap between.
    const stdio = ['ignore' as const, 'pipe' as const, 'inherit' as const, ...Array(60).fill(leaked)];
    const script = 'eval "exec 200<&5"; for n in 11 12 13 14 15 16 17 18 19 20; do eval "exec $n<&-"; done; exec "$@"';
    const argv = ['-c', script, 'bash', process.execPath, fileURLToPath(import.meta.url)];
    const run = spawnSync('bash', argv, { stdio, env: { ...process.env, DESCRIPTORS_CHILD: made }, encoding: 'utf8' });
    // 3 is the directory that ls reads.
    assert.equal(run.stdout, '0\n1\n2\n3\n');
  }),
);

test(
  'a database goes on with the descriptor that it had, which is no longer inherited',
  inDirectory(async (made) => {
    const database = open({ path: made, noSubdir: false });
    const flags = (): readonly string[] =>
      execFileSync('sh', ['-c', `cd /proc/${process.pid}/fd; for n in *; do echo "$n $(readlink $n)"; done`], {
        encoding: 'utf8',
      })
        .split('\n')
        .filter((line) => line.endsWith('/data.mdb'))
        .map((line) => line.split(' ')[0] ?? '');
    const before = flags();
    assert.ok(keepFromChildren(`${made}/data.mdb`).ok);
    assert.deepEqual(flags(), before);
    for (const number of before) {
      assert.match(readlinkSync(`/proc/self/fd/${number}`), /data\.mdb$/);
      assert.match(readFileSync(`/proc/self/fdinfo/${number}`, 'utf8'), /^flags:\t02\d{6}$/m);
    }
    await database.put('key', 'value');
    await database.flushed;
    await database.close();
    const again = open({ path: made, noSubdir: false });
    assert.equal(again.get('key'), 'value');
    await again.close();
  }),
);

test('a missing file is an error', () => {
  const kept = keepFromChildren('/no/such/file');
  assert.match(kept.ok ? '' : kept.error, /no\/such\/file: can't be kept from child processes/);
});
