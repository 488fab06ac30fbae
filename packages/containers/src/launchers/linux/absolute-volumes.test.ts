// Volumes at absolute paths of real containers, whose root is the machine's (images/containers.test.ts has those of images).
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, afterEach, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { Volume } from '@meseta/wire';
import type { Containerizer } from '../../containerizer.js';
import { asRoot, launcherCgroup } from '../../testing/cgroups.js';
import { events, next, nextEvent, output, root, spec, start } from '../../testing/launcher.js';
import type { ContainerSpec } from '../../types.js';

const NOBODY = 65534;

after(() => existsSync(launcherCgroup) && rmdirSync(launcherCgroup));
afterEach(() => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  assert.deepEqual(
    mounts.filter((line) => line.includes(root)),
    [],
  );
});

const startLinux = (names = 'filesystem/linux,volume/host_path,volume/secret'): Promise<Containerizer> =>
  start({ launcher: 'linux', isolation: { names } });

const at = (container_path: string, mode: Volume['mode'] = 'RW'): Volume => ({
  container_path,
  mode,
  source: { type: 'HOST_PATH', host_path: { path: `${root}/host` } },
});

const withVolumes = (id: string, value: string, volumes: readonly Volume[], rest: Partial<ContainerSpec> = {}) =>
  spec(id, { value }, { container: { type: 'MESOS', volumes }, ...rest });

async function run(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  await next('exited', it.containerId);
  return output(it) + output(it, 'stderr');
}

async function refusal(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  for (;;) {
    const ended = events.find((event) => event.containerId === it.containerId && event.kind !== 'started');
    if (ended !== undefined) return ended.kind === 'launchFailed' ? ended.message : JSON.stringify(ended);
    await nextEvent();
  }
}

function makePlaces(): void {
  mkdirSync(`${root}/host`);
  mkdirSync(`${root}/target`);
  writeFileSync(`${root}/host/file`, 'of the volume\n');
  writeFileSync(`${root}/target/file`, 'of the machine\n');
}

test(
  'a volume at an absolute path replaces a directory or file of the machine for its container only',
  asRoot,
  async () => {
    const containers = await startLinux();
    makePlaces();
    const script = `cat ${root}/target/file; (echo x > ${root}/target/new) 2> /dev/null || echo refused`;
    const readOnly = withVolumes('ro', script, [at(`${root}//target/.`, 'RO')]);
    assert.equal(await run(containers, readOnly), 'of the volume\nrefused\n');
    assert.equal(await run(containers, withVolumes('rw', script, [at(`${root}/target`)])), 'of the volume\n');
    assert.deepEqual([readdirSync(`${root}/host`).sort(), readdirSync(`${root}/target`)], [['file', 'new'], ['file']]);
    const secret = { type: 'VALUE' as const, value: { data: Buffer.from('hidden').toString('base64') } };
    const file: Volume = { container_path: `${root}/target/file`, mode: 'RO', source: { type: 'SECRET', secret } };
    assert.equal(await run(containers, withVolumes('file', `cat ${root}/target/file`, [file])), 'hidden');
    assert.equal(readFileSync(`${root}/target/file`, 'utf8'), 'of the machine\n');
    assert.deepEqual(readdirSync(readOnly.sandbox).sort(), ['stderr', 'stdout']);
  },
);

test("a task of a pod shows a path of its pod's sandbox at an absolute path", asRoot, async () => {
  const containers = await startLinux();
  makePlaces();
  const sandbox = `${root}/pod`;
  const outer = {
    containerId: 'pod' as ContainerId,
    sandbox,
    volumes: [],
    pod: { taskId: 'a', container: undefined, resources: [] },
  };
  const source: Volume['source'] = { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'shared' } };
  const volumes: Volume[] = [{ container_path: `${root}/target`, mode: 'RW', source }];
  const it = withVolumes('a', `echo x > ${root}/target/new`, volumes, { outer, sandbox: `${sandbox}/containers/a` });
  assert.equal(await run(containers, it), '');
  assert.equal(readFileSync(`${sandbox}/shared/new`, 'utf8'), 'x\n');
});

test(
  'ISOLATION-2: an absolute path must exist on the machine, and leads through no link that others than root can replace',
  asRoot,
  async () => {
    const containers = await startLinux();
    makePlaces();
    mkdirSync(`${root}/of-nobody`);
    chownSync(`${root}/of-nobody`, NOBODY, NOBODY);
    symlinkSync(`${root}/target`, `${root}/of-nobody/link`);
    symlinkSync('target', `${root}/link`);
    const table: readonly [string, RegExp][] = [
      [`${root}/missing`, /mount at .*\/missing: the machine has no such path$/],
      [`${root}/of-nobody/link`, /a symbolic link that others than root can replace is not followed$/],
      [`${root}/of-nobody/link/file`, /a symbolic link that others than root can replace is not followed$/],
      [`${root}/target/file`, /(Not a directory|Invalid argument)$/],
    ];
    for (const [index, [path, expected]] of table.entries()) {
      assert.match(await refusal(containers, withVolumes(`bad-${index}`, 'true', [at(path)])), expected);
    }
    const linked = withVolumes('linked', `cat ${root}/target/file`, [at(`${root}/link`)]);
    assert.equal(await run(containers, linked), 'of the volume\n');
  },
);

test('a user who replaces files of the machine gets no privileges by setuid programs', asRoot, async () => {
  const containers = await startLinux();
  makePlaces();
  chmodSync(root, 0o755);
  const value = 'grep NoNewPrivs /proc/self/status';
  const runAs = (id: string, user: string | undefined, volumes: readonly Volume[]): Promise<string> => {
    const it = withVolumes(id, value, volumes, { user });
    if (user !== undefined) chownSync(it.sandbox, NOBODY, NOBODY);
    return run(containers, it);
  };
  assert.equal(await runAs('user', 'nobody', [at(`${root}/target`)]), 'NoNewPrivs:\t1\n');
  assert.equal(await runAs('relative', 'nobody', [at('target')]), 'NoNewPrivs:\t0\n');
  assert.equal(await runAs('root', undefined, [at(`${root}/target`)]), 'NoNewPrivs:\t0\n');
});

test(
  'without filesystem/linux an absolute path is refused, and for a persistent volume everywhere',
  asRoot,
  async () => {
    const containers = await startLinux('volume/host_path');
    const expected = /^container\.volumes\[0\]\.container_path: expected a relative path below the sandbox, or with/;
    assert.match(await refusal(containers, withVolumes('link', 'true', [at(`${root}/target`)])), expected);
    const volumes = [{ containerPath: `${root}/target`, place: { root, names: ['volumes', 'v'] } }];
    const linux = await startLinux();
    const persistent = spec('persistent', { value: 'true' }, { volumes });
    assert.match(await refusal(linux, persistent), /^disk\.volume\.container_path: expected a path in the sandbox/);
  },
);
