import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { discoverIp } from './discover-ip.js';
import { openLogFile } from './log-file.js';

test('a log file is continued, and a full one is renamed', async () => {
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

test('--ip_discovery_command: the printed text must be an address', async () => {
  assert.deepEqual(await discoverIp('echo " 10.0.0.7 "'), { ok: true, value: '10.0.0.7' });
  assert.equal((await discoverIp('echo localhost')).ok, false);
  assert.equal((await discoverIp('exit 3')).ok, false);
});

test('a link, a FIFO or a directory with the name of the log file is refused, and the target of the link is unchanged', async () => {
  const root = await mkdtemp(join(tmpdir(), 'meseta-log-'));
  try {
    const path = join(root, 'mesos-master.INFO');
    const target = join(root, 'target');
    for (const [command, ...args] of [
      ['ln', '-s', target, path],
      ['mkfifo', path],
      ['mkdir', path],
    ] as const) {
      await writeFile(target, 'kept');
      execFileSync(command, args);
      const opened = openLogFile(root, 'mesos-master');
      assert.match(opened.ok ? 'opened' : opened.error, /mesos-master\.INFO can't be written: /);
      assert.equal(await readFile(target, 'utf8'), 'kept');
      await rm(path, { recursive: true });
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
