// Backups that no Meseta has written, and services that do not answer. With real masters: cli/src/integration/registry-backup.test.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { backUpRegistry, restoreRegistry } from './registry-backup.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-registry-backup-'));
after(() => rmSync(directory, { recursive: true }));
const workDir = join(directory, 'master');

const CREATED = '2026-11-30T12:00:00.000Z';

function writeBackup(body: string, created: string): string {
  const sha256 = createHash('sha256').update(body).digest('hex');
  const file = join(directory, 'backup');
  writeFileSync(file, `${JSON.stringify({ meseta_registry_backup: 1, created, sha256 })}\n${body}`);
  return file;
}

for (const [what, path, expected] of [
  [
    'whose time controls the terminal',
    () => writeBackup('["format",1]\n', '\u001b[2J'),
    /it is not a backup of a regis/,
  ],
  ['without JSON in a line', () => writeBackup('["format",1]\n["weight"', CREATED), /: it can't be read: .*JSON/],
  [
    'with an agent without an id',
    () => writeBackup('["format",1]\n["agent",1]\n', CREATED),
    /: it can't be read: .*JSON/,
  ],
  ['that is a device without an end', () => '/dev/zero', /^\/dev\/zero: it is no regular file$/],
] as const) {
  test(`BACKUP-3: a file ${what} is refused and nothing is changed`, async () => {
    const restored = await restoreRegistry({ kind: 'directory', workDir }, path());
    assert.match(restored.ok ? '' : restored.error, expected);
    assert.equal(existsSync(workDir), false);
  });
}

test('a service that does not answer is an error with the reason, for a backup and for a restore', async () => {
  const open = coordinatorAt('zk://127.0.0.1:1/meseta');
  assert.ok(open.ok);
  const store = { kind: 'coordinator', open: open.value } as const;
  const [made, restored] = await Promise.all([
    backUpRegistry(store, join(directory, 'none'), 0),
    restoreRegistry(store, writeBackup('["format",1]\n', CREATED)),
  ]);
  assert.match(made.ok ? '' : made.error, /^the service does not answer; the last error is: ZooKeeper: .*ECONNREFUSED/);
  assert.match(restored.ok ? '' : restored.error, /^no term could be begun: .*ECONNREFUSED/);
});
