import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endWithParent } from './parent-end.js';
import { until } from './testing/until.js';

// The test runs this file as the helper.
if (process.env['PARENT_END_HELPER'] !== undefined) {
  endWithParent();
  process.stdout.write(`${process.pid}\n`);
  // It would end by itself if nothing killed it.
  await new Promise((resolve) => setTimeout(resolve, 100_000));
  process.exit(0);
}

const hasEnded = (pid: string): boolean =>
  !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

test('a helper ends with its parent, also when that is killed', async () => {
  const [program, file] = [process.execPath, fileURLToPath(import.meta.url)].map((it) => JSON.stringify(it));
  const stdio = "{ stdio: ['ignore', 'inherit', 'inherit'], detached: true }";
  const script = `require('node:child_process').spawn(${program}, [${file}], ${stdio})`;
  const env = { ...process.env, PARENT_END_HELPER: '1' };
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = line.toString().trim();
  assert.equal(hasEnded(pid), false);
  parent.kill('SIGKILL');
  await until('the helper has ended', () => hasEnded(pid));
});
