import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { createFiles } from './files.js';

const { claimDirectory } = createFiles();
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user' };
let root = '';

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-claimed-`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function problem(path: string): Promise<string> {
  const claimed = await claimDirectory(path, 0o711);
  return claimed.ok ? '' : claimed.error.message;
}

test('CLAIM-1: made with its parents, or taken as it is; links of its own user are followed', async () => {
  assert.equal(await problem(`${root}/a/b`), '');
  assert.deepEqual([statSync(`${root}/a`).mode & 0o777, statSync(`${root}/a/b`).mode & 0o777], [0o755, 0o711]);
  mkdirSync(`${root}/own`, { mode: 0o700 });
  symlinkSync('own/../own', `${root}/link`);
  assert.equal(await problem(`${root}/link/below`), '');
  assert.ok(existsSync(`${root}/own/below`));
  symlinkSync('ring', `${root}/ring`);
  assert.match(await problem(`${root}/ring`), /more than 40 symbolic links/);
});

test('CLAIM-1: one that others may write to is refused, but for a sticky one on the way', async () => {
  mkdirSync(`${root}/open`);
  chmodSync(`${root}/open`, 0o777);
  assert.match(await problem(`${root}/open`), /open can be written to by others than its owner \(mode 777\): make it/);
  assert.match(await problem(`${root}/open/below`), /open can be written to by others/);
  chmodSync(`${root}/open`, 0o1777);
  assert.equal(await problem(`${root}/open/below`), '');
  assert.match(await problem(`${root}/open`), /can be written to by others/);
});

test('CLAIM-1: one that someone else made first is refused, as is a link of theirs', asRoot, async () => {
  chmodSync(root, 0o1777);
  mkdirSync(`${root}/mesos`);
  chownSync(`${root}/mesos`, 65534, 65534);
  assert.match(await problem(`${root}/mesos`), /mesos belongs to user 65534; expected user 0: make it one that only/);
  assert.match(await problem(`${root}/mesos/fetch`), /mesos belongs to user 65534, who can change its entries/);
  assert.equal(existsSync(`${root}/mesos/fetch`), false);
  symlinkSync('/etc', `${root}/link`);
  lchownSync(`${root}/link`, 65534, 65534);
  assert.match(await problem(`${root}/link/x`), /link is a symbolic link of user 65534: remove it/);
});
