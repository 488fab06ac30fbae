import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { CheckpointChange, CheckpointRecord } from '../core/io.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';

const root = mkdtempSync(join(tmpdir(), 'meseta-checkpoint-'));
after(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;
const newDirectory = (): string => {
  serial++;
  return join(root, String(serial));
};

async function open(directory: string, warn: (text: string) => void = assert.fail): Promise<Checkpoint> {
  const opened = await openCheckpoint({ directory, warn, onFailure: assert.fail });
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

const written = (checkpoint: Checkpoint, changes: readonly CheckpointChange[]): Promise<void> =>
  new Promise((resolve) => checkpoint.write(changes, resolve));

const drain = (sinceWallMs: number): CheckpointRecord => ({ kind: 'drain', config: {}, sinceWallMs });

const agent = (id: string): CheckpointRecord => ({
  kind: 'agent',
  info: { hostname: 'h', id: { value: id } },
  bootId: 'boot',
  workDir: '/work',
});

const keysOf = (checkpoint: Checkpoint): readonly string[] =>
  checkpoint
    .read()
    .map(({ key }) => key)
    .sort();

test('CHECKPOINT-1, CHECKPOINT-2: batches become durable in order, the last change of a key is read again, keys may be long', async () => {
  const directory = newDirectory();
  const first = await open(directory);
  const long = `task/${'f'.repeat(255)}/${'€'.repeat(700)}`;
  const answered: number[] = [];
  await Promise.all(
    [
      [{ key: 'a', record: drain(1) }],
      [
        { key: 'a', record: undefined },
        { key: long, record: drain(2) },
      ],
      [],
      [{ key: 'b', record: drain(3) }],
    ].map((changes, i) => written(first, changes).then(() => answered.push(i))),
  );
  assert.deepEqual(answered, [0, 1, 2, 3]);
  await first.close();
  const second = await open(directory);
  const found = [...second.read()].sort((x, y) => (x.key < y.key ? -1 : 1));
  assert.deepEqual(found, [
    { key: 'b', record: drain(3) },
    { key: long, record: drain(2) },
  ]);
  await second.close();
});

test('CHECKPOINT-3: after a failed write no batch is reported as durable, and all batches reported before are on disk', {
  skip: process.getuid?.() !== 0,
}, async () => {
  const disk = newDirectory();
  execFileSync('mkdir', [disk]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
  try {
    let fail: (text: string) => void = () => {};
    const failed = new Promise<string>((resolve) => {
      fail = resolve;
    });
    const opened = await openCheckpoint({ directory: join(disk, 'meta'), warn: assert.fail, onFailure: fail });
    assert.ok(opened.ok);
    const checkpoint = opened.value;
    assert.ok(checkpoint.hasSpare());
    execFileSync('sh', ['-c', 'cat /dev/zero >"$1/fill" 2>/dev/null || true', 'sh', disk]);
    const answered: string[] = [];
    const role = 'r'.repeat(50_000);
    let failure: string | undefined;
    for (let n = 0; failure === undefined && n < 200; n++) {
      const key = `resources/${n}`;
      const record: CheckpointRecord = { kind: 'resources', resources: [{ name: role, type: 'SCALAR' }] };
      const change = written(checkpoint, [{ key, record }]).then(() => void answered.push(key));
      failure = (await Promise.race([change, failed])) ?? undefined;
    }
    assert.match(failure ?? '', /^the checkpoint in \S+ can't be written: no space is left on the disk of \S+$/);
    const before = answered.length;
    checkpoint.write([], () => answered.push('late'));
    await checkpoint.close();
    assert.equal(answered.length, before);
    rmSync(join(disk, 'fill'));
    const again = await open(join(disk, 'meta'));
    assert.deepEqual(keysOf(again), [...answered].sort());
    await again.close();
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('CHECKPOINT-4: an agent with its link keeps its id; after the link was removed its own record is gone, all others stay', async () => {
  const directory = newDirectory();
  const latest = join(directory, 'slaves/latest');
  const first = await open(directory);
  await written(first, [
    { key: 'agent', record: agent('S0') },
    { key: 'drain', record: drain(1) },
  ]);
  assert.equal(readlinkSync(latest), 'S0');
  assert.ok(lstatSync(join(directory, 'slaves/S0')).isDirectory());
  await first.close();
  const second = await open(directory);
  assert.deepEqual(keysOf(second), ['agent', 'drain']);
  await written(second, [{ key: 'agent', record: agent('S1') }]);
  assert.equal(readlinkSync(latest), 'S1');
  await second.close();
  rmSync(latest);
  const warnings: string[] = [];
  const third = await open(directory, (text) => warnings.push(text));
  assert.deepEqual(keysOf(third), ['drain']);
  assert.deepEqual(warnings, [`${latest} was removed: this agent registers as a new one`]);
  await third.close();
});

test('CHECKPOINT-4: an agent whose link could not be made keeps its id without it', async () => {
  const directory = newDirectory();
  const first = await open(directory);
  execFileSync('touch', [join(directory, 'slaves')]);
  await written(first, [{ key: 'agent', record: agent('S0') }]);
  await first.close();
  const second = await open(directory);
  assert.deepEqual(keysOf(second), ['agent']);
  assert.equal(existsSync(join(directory, 'slaves/latest')), false);
  await second.close();
});
