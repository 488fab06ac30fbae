import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseFlags } from '@meseta/platform';
import { createFiles } from '@meseta/platform/files';
import { modeText, wholeText } from '@meseta/platform/shown-files';
import { quantitiesOf, quantitiesToRecord } from '@meseta/resources';
import { detectMaster } from './detector.js';
import { agentFlags } from './flags.js';
import { agentResources } from './resources.js';
import { rotationLimits } from './rotation.js';

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'agent-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('--master: what is understood, and what is said of the rest', async () => {
  assert.deepEqual(await detectMaster('127.0.0.1:5050'), { ok: true, value: 'master@127.0.0.1:5050' });
  assert.deepEqual(await detectMaster('master@127.0.0.1:5050'), { ok: true, value: 'master@127.0.0.1:5050' });
  for (const [flag, said] of [
    ['127.0.0.1', /expected host:port/],
    ['127.0.0.1:99999', /expected host:port/],
    ['zk://127.0.0.1:2181/mesos', /zk:\/\/ is not supported yet/],
    ['file:///no/such/file', /can't read \/no\/such\/file/],
  ] as const) {
    const detected = await detectMaster(flag);
    assert(!detected.ok);
    assert.match(detected.error, said);
  }
});

test('resources that the flag leaves out are detected; what it names stays as it is, a zero too', () =>
  inDirectory(async (directory) => {
    const files = createFiles();
    const amounts = async (text: string | undefined) => {
      const resources = await agentResources(text, '*', directory, files);
      assert(resources.ok);
      return quantitiesToRecord(quantitiesOf(resources.value));
    };
    const all = await amounts(undefined);
    assert(['cpus', 'mem', 'disk'].every((name) => (all[name] ?? 0) > 0));
    const some = await amounts('cpus:3;disk:0;gpus:1');
    assert.deepEqual([some['cpus'], some['disk'], some['gpus'], some['mem']], [3, undefined, 1, all['mem']]);
    assert.equal((await agentResources('cpus:x', '*', directory, files)).ok, false);
  }));

test('limits of stdout and stderr come from the container logger and its module', () => {
  const logger = 'org_apache_mesos_LogrotateContainerLogger';
  const modules = (value: string) =>
    JSON.stringify({ libraries: [{ modules: [{ name: logger, parameters: [{ key: 'max_stdout_size', value }] }] }] });
  assert.deepEqual(rotationLimits(undefined, undefined), { ok: true, value: undefined });
  assert.deepEqual(rotationLimits(logger, undefined), { ok: true, value: { maxBytes: 10_485_760, keptFiles: 9 } });
  assert.deepEqual(rotationLimits(logger, modules('2MB')), { ok: true, value: { maxBytes: 2_097_152, keptFiles: 9 } });
  for (const bad of [
    rotationLimits('other', undefined),
    rotationLimits(logger, modules('2')),
    rotationLimits(logger, '{'),
  ]) {
    assert.equal(bad.ok, false);
  }
});

test('a read that ends inside a character leaves it for the next', () => {
  const whole = Buffer.from('aé€😀');
  const lengths = Array.from({ length: whole.length + 1 }, (_, n) => wholeText(whole.subarray(0, n)));
  assert.deepEqual(lengths, ['', 'a', 'a', 'aé', 'aé', 'aé', 'aé€', 'aé€', 'aé€', 'aé€', 'aé€😀']);
});

test('modes as ls writes them', () => {
  for (const [mode, text] of [
    [0o100644, '-rw-r--r--'],
    [0o040755, 'drwxr-xr-x'],
    [0o120777, 'lrwxrwxrwx'],
    [0o104755, '-rwsr-xr-x'],
    [0o041777, 'drwxrwxrwt'],
    [0o102644, '-rw-r-Sr--'],
  ] as const) {
    assert.equal(modeText(mode), text);
  }
});

test('the flags of a Mesos agent are all known, unknown ones named', () => {
  const parse = (...argv: string[]) =>
    parseFlags(agentFlags, { argv, env: { MESOS_MASTER: 'h:1' }, prefix: 'MESOS_', readFile: () => '' });
  const parsed = parse(
    '--work_dir=/w',
    '--attributes=rack:r1;size:10',
    '--executor_secret_key=k',
    '--secret_resolver=x',
  );
  assert.equal(parsed.ok && parsed.value.values.jwt_secret_key, 'k');
  assert(parsed.ok);
  assert.equal(parsed.value.values.master, 'h:1');
  assert.equal(parsed.value.values.gc_delay, 604_800_000);
  assert.deepEqual(
    parsed.value.values.attributes?.map(({ name }) => name),
    ['rack', 'size'],
  );
  assert.equal(parsed.value.warnings.length, 1);
  const wrong = parse('--work_dir=/w', '--resorces=cpus:1');
  assert(!wrong.ok);
  assert.match(wrong.error.message, /--resources/);
});
