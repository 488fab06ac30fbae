import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@meseta/platform/testing/until';

const TASKS = 12;

/** The pids of processes whose command line contains the text. */
function processesWith(text: string): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

test('WORKLOAD-1, LOCAL-CLUSTER-1: meseta up runs each task once, counts it once, and leaves no process', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-up-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const argv = ['up', '--exit', `--tasks=${TASKS}`, '--agents=2', '--port=15500', `--work-dir=${directory}`];
  const done = spawnSync(process.execPath, ['bin/meseta', ...argv], { encoding: 'utf8', timeout: 120_000 });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, new RegExp(`^ *TASK_FINISHED +${TASKS}$`, 'm'));
  assert.match(done.stdout, new RegExp(`^${TASKS} tasks in `, 'm'));
  // The supervisors end once their agents have closed their connections.
  await until('the end of all processes', () => processesWith(directory).length === 0);
});
