// The packages as users get them: packed, installed into an empty folder far from the checkout, and used.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createTestCluster } from './testing.js';

const checkout = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'meseta-packed-'));
const home = join(folder, 'home');
after(() => rmSync(folder, { recursive: true, force: true }));

const TIMEOUT_MS = 180_000;

function run(cwd: string, command: string, ...args: readonly string[]) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: TIMEOUT_MS });
  return { status: done.status, text: `${done.stdout}${done.stderr}` };
}

/** What npm says where neither its cache nor a registry has lmdb. */
const OFFLINE = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/;

const SCRIPT = `
import { connectMaster, connectScheduler, commandTask, fits, launch, MesetaError } from '@meseta/sdk';
const master = process.argv[2];
const { ok, value } = await connectMaster(master).call('GET_HEALTH');
if (!ok || !value.healthy) throw new Error('not healthy');
const scheduler = connectScheduler({ master, framework: { name: 'from a package' } });
for await (const event of scheduler) {
  if (event.subscribed) break;
}
await scheduler.teardown();
console.log('subscribed as', scheduler.frameworkId, typeof commandTask, typeof fits, typeof launch, typeof MesetaError);
`;

/** Compiles only if the package's types say what the SDK is. */
const TYPED = `
import { connectScheduler, type Offer, type SchedulerEvent, type TaskInfo } from '@meseta/sdk';
const scheduler = connectScheduler({ master: 'a:1', framework: { name: 'f' } });
export async function first(): Promise<Offer | undefined> {
  for await (const event of scheduler) {
    const seen: SchedulerEvent = event;
    return seen.offers?.offers?.[0];
  }
  return undefined;
}
export const name = (task: TaskInfo): string => task.task_id.value;
// @ts-expect-error: a framework has a name
connectScheduler({ master: 'a:1', framework: {} });
`;

/** The modules that the file and the package's files that it imports load with it. */
function staticImports(folder: string, file: string, found: string[] = [file]): readonly string[] {
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^;]*?"([^"]+)";$/gm)) {
    const path = name.replace(/^\.\//, '');
    if (found.includes(path)) continue;
    found.push(path);
    if (name.startsWith('./')) staticImports(folder, path, found);
  }
  return found;
}

test('both packages install elsewhere and work there', { timeout: 2 * TIMEOUT_MS }, async (t) => {
  const packed = run(checkout, process.execPath, 'scripts/pack.mjs', join(folder, 'packages'));
  assert.equal(packed.status, 0, packed.text);
  const tarballs = readdirSync(join(folder, 'packages')).map((file) => join(folder, 'packages', file));
  assert.equal(tarballs.length, 2);
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{"private": true, "type": "module"}');
  const installed = run(home, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs);
  if (installed.status !== 0 && OFFLINE.test(installed.text)) return t.skip(`npm can't get lmdb: ${installed.text}`);
  assert.equal(installed.status, 0, installed.text);

  assert.match(run(home, 'npx', '--no-install', 'meseta', '--version').text, /^meseta \d+\.\d+\.\d+$/m);
  const up = run(home, 'npx', '--no-install', 'meseta', 'up', '--tasks=5', '--agents=1', '--port=15050', '--exit');
  assert.equal(up.status, 0, up.text);
  assert.match(up.text, /TASK_FINISHED +5/);

  const cluster = await createTestCluster();
  try {
    await cluster.startMaster();
    writeFileSync(join(home, 'script.mjs'), SCRIPT);
    const script = run(home, process.execPath, 'script.mjs', cluster.master);
    assert.match(script.text, /^subscribed as \S+-0000 function function function function$/m);
    // A browser loads what the entry imports statically.
    const sdk = join(home, 'node_modules/@meseta/sdk');
    const loaded = staticImports(sdk, 'index.js');
    assert.deepEqual(
      loaded.filter((name) => name.startsWith('node:')),
      [],
    );
    assert.ok(loaded.length < readdirSync(sdk).filter((name) => name.endsWith('.js')).length);
  } finally {
    await cluster.stop();
  }

  writeFileSync(join(home, 'typed.ts'), TYPED);
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', '', '--target', 'es2022'];
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc');
  const lib = ['--lib', 'es2022,dom,dom.iterable', '--module', 'nodenext', '--moduleResolution', 'nodenext'];
  const typed = run(home, process.execPath, tsc, ...options, ...lib, 'typed.ts');
  assert.equal(typed.status, 0, typed.text);
});
