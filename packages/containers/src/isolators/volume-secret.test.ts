// Secrets as files of real containers. It needs root and cgroups.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import type { ContainerInfo, Volume } from '@meseta/wire';
import { removeTestCgroups } from '../testing/isolation.js';
import { events, next, output, root, spec, start as startContainerizer } from '../testing/launcher.js';

const asRoot = { skip: process.getuid?.() !== 0 && 'needs root' };
after(removeTestCgroups);

const NOBODY = 65_534;

const start = () => startContainerizer({ launcher: 'linux', isolation: { names: 'filesystem/linux,volume/secret' } });

const secretVolume = (container_path: string, text: string): Volume => ({
  container_path,
  mode: 'RO',
  source: { type: 'SECRET', secret: { type: 'VALUE', value: { data: Buffer.from(text).toString('base64') } } },
});
const withSecrets = (...volumes: readonly Volume[]): { readonly container: ContainerInfo } => ({
  container: { type: 'MESOS', volumes },
});
const secretsLeft = (): readonly string[] => readdirSync(`${root}/run/secrets`);

test(
  'a container reads its secrets and can change none; they are in no file of the sandbox, and gone after it',
  asRoot,
  async () => {
    const containers = await start();
    const command = { value: 'cat deep/key other; (echo changed > other) 2> /dev/null || echo refused; sleep 0.2' };
    const it = spec(
      'reads',
      command,
      withSecrets(secretVolume('deep/key', 'first\n'), secretVolume('other', 'second\n')),
    );
    containers.launch(it);
    await next('started', 'reads');
    assert.deepEqual(secretsLeft(), ['reads']);
    await next('exited', 'reads');
    assert.equal(output(it), 'first\nsecond\nrefused\n');
    for (const name of ['deep/key', 'other']) assert.equal(statSync(`${it.sandbox}/${name}`).size, 0);
    assert.deepEqual(secretsLeft(), []);
  },
);

test("VOLUME-SECRET-1: a secret belongs to the task's user alone", asRoot, async () => {
  const containers = await start();
  const command = { value: 'cat key; stat -c "%u %a" key' };
  const it = spec('nobodys', command, { user: 'nobody', ...withSecrets(secretVolume('key', 'text\n')) });
  chmodSync(root, 0o755);
  chownSync(it.sandbox, NOBODY, NOBODY);
  containers.launch(it);
  await next('exited', 'nobodys');
  assert.equal(output(it), `text\n${NOBODY} 400\n`);
  assert.equal(statSync(`${root}/run/secrets`).mode & 0o777, 0o700);
});

test('VOLUME-SECRET-1: the next agent removes the secrets of containers that it does not find', asRoot, async () => {
  const first = await start();
  const it = spec('stays', { value: 'sleep 1000' }, withSecrets(secretVolume('key', 'text')));
  first.launch(it);
  await next('started', 'stays');
  await first.close();
  mkdirSync(`${root}/run/secrets/forgotten`);
  writeFileSync(`${root}/run/secrets/forgotten/0`, 'text');
  const second = await start();
  await second.recover();
  assert.deepEqual(secretsLeft(), ['stays']);
  second.destroy(it.containerId);
  await next('exited', 'stays');
  assert.deepEqual(secretsLeft(), []);
});

test('a secret whose value is elsewhere fails the launch', asRoot, async () => {
  const containers = await start();
  const source = { type: 'SECRET', secret: { type: 'REFERENCE', reference: { name: 'elsewhere' } } } as const;
  containers.launch(spec('refers', { value: 'true' }, withSecrets({ container_path: 'key', mode: 'RO', source })));
  await next('launchFailed', 'refers');
  assert.match(JSON.stringify(events), /container.volumes\[0\].source.secret.type: expected VALUE/);
});
