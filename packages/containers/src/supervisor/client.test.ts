import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { after, test } from 'node:test';
import { connectLines } from '@meseta/platform/line-connections';
import { createProcesses } from '@meseta/platform/processes';
import { connectSupervisor } from './client.js';

const root = mkdtempSync(`${tmpdir()}/meseta-supervisor-client-`);
after(() => rmSync(root, { recursive: true, force: true }));

const connect = (name: string, script: string) => {
  mkdirSync(`${root}/${name}`);
  return connectSupervisor({
    processes: createProcesses(),
    connectLines,
    directory: `${root}/${name}`,
    // The directory is the shell's $0.
    command: { program: '/bin/sh', arguments: ['-c', script] },
    onReady: () => {},
    onEvent: () => {},
    onLost: () => {},
    onUnavailable: () => {},
  });
};

test('a supervisor that has ended because its other agents left is no failure: another one is started', async () => {
  const real = `'${process.execPath}' '${resolve('dist/meseta.mjs')}' supervisor "$0"`;
  const connected = await connect('left', `test -e "$0/left" && exec ${real}; > "$0/left"`);
  assert.ok(connected.ok, connected.ok ? '' : connected.error);
  connected.value.close();
  assert.equal(existsSync(`${root}/left/left`), true);
});

test('a supervisor that fails is reported with what it says', async () => {
  const connected = await connect('fails', 'echo no memory >&2; exit 3');
  assert.equal(connected.ok ? 'connected' : connected.error, 'no memory');
});
