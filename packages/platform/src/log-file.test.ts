import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { discoverIp } from './discover-ip.js';
import { openLogFile } from './log-file.js';

test('a log goes on where it was, and what is full is put aside', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'log-'));
  try {
    for (let start = 0; start < 2; start++) {
      const opened = openLogFile(join(directory, 'logs'), 'mesos-master', 30);
      assert.ok(opened.ok);
      opened.value.write(`start ${start}, padded\n`);
      if (start === 0) assert.equal(await readFile(opened.value.path, 'utf8'), 'start 0, padded\n');
      else opened.value.write('after\n');
    }
    const files = (await readdir(join(directory, 'logs'))).sort();
    assert.deepEqual(files, ['mesos-master.INFO', 'mesos-master.INFO.old']);
    assert.equal(await readFile(join(directory, 'logs/mesos-master.INFO'), 'utf8'), 'after\n');
    const full = await readFile(join(directory, 'logs/mesos-master.INFO.old'), 'utf8');
    assert.equal(full, 'start 0, padded\nstart 1, padded\n');
    assert.equal(openLogFile('/dev/null/logs', 'mesos-master').ok, false);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('an address is what the command prints, if it is one', async () => {
  assert.deepEqual(await discoverIp('echo " 10.0.0.7 "'), { ok: true, value: '10.0.0.7' });
  assert.equal((await discoverIp('echo localhost')).ok, false);
  assert.equal((await discoverIp('exit 3')).ok, false);
});
