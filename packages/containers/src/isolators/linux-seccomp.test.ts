// Containers whose system calls are filtered, on the kernel of this machine. Needs root, cgroups and libseccomp.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ContainerId, err, LIMITS } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createSeccompCompiler } from '@meseta/platform/seccomp';
import type { CapabilityInfoCapability, ContainerInfo, LinuxInfo } from '@meseta/wire';
import type { Containerizer } from '../containerizer.js';
import { openSeccompProfiles, type SeccompOptions } from '../seccomp/profiles.js';
import { events, next, nextEvent, output, path, root, spec, start } from '../testing/launcher.js';
import type { ContainerSpec } from '../types.js';

const compiler = createSeccompCompiler();
const hasCgroups = existsSync('/sys/fs/cgroup');
const kernel = {
  skip: process.getuid?.() !== 0 ? 'needs root' : !hasCgroups ? 'needs cgroups' : !compiler.ok && compiler.error,
};

const MKDIR = ['mkdir', 'mkdirat'];
const rule = (names: readonly string[], changes: object = {}) => ({ names, action: 'SCMP_ACT_ERRNO', ...changes });
const profileOf = (...syscalls: readonly object[]): string =>
  JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', archMap: [], syscalls });

/** Profiles of the running test: `no-mkdir` is the default one. */
function writeProfiles(profiles: Readonly<Record<string, string>> = {}): string {
  const directory = `${root}/profiles`;
  mkdirSync(`${directory}/inner`, { recursive: true });
  const all = {
    'no-mkdir': profileOf(rule(MKDIR)),
    'kill.json': profileOf(rule(MKDIR, { action: 'SCMP_ACT_KILL' })),
    'inner/no-chmod.json': profileOf(rule(['chmod', 'fchmodat'])),
    ...profiles,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(`${directory}/${name}`, text);
  return directory;
}

function startFiltered(names = '', flags: Partial<SeccompOptions> = {}): Promise<Containerizer> {
  const options = { configDir: writeProfiles(), profileName: 'no-mkdir', compiler, ...flags };
  return start({ launcher: 'linux', isolation: { names: `linux/seccomp${names}` }, seccomp: options });
}

const withLinux = (info: LinuxInfo): { readonly container: ContainerInfo } => ({
  container: { type: 'MESOS', linux_info: info },
});
const withProfile = (name: string) => withLinux({ seccomp: { profile_name: name } });

async function run(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  await next('exited', it.containerId);
  return output(it).replaceAll('\n', ' ');
}

const probe = 'mkdir d 2>error && echo mkdir; touch f; chmod 700 f 2>>error && echo chmod; true';

test(
  'a container has the profile that it names, else that of the operator, and none if it is unconfined',
  kernel,
  async () => {
    const containers = await startFiltered();
    const seenBy = (id: string, extra: Partial<ContainerSpec>) => run(containers, spec(id, { value: probe }, extra));
    assert.equal(await seenBy('default', {}), 'chmod ');
    assert.equal(await seenBy('named', withProfile('inner/no-chmod.json')), 'mkdir ');
    assert.equal(await seenBy('unconfined', withLinux({ seccomp: { unconfined: true } })), 'mkdir chmod ');
    const killed = spec('killed', { value: 'exec mkdir d' }, withProfile('kill.json'));
    containers.launch(killed);
    assert.deepEqual((await next('exited', 'killed')).status, { kind: 'signaled', signal: 31 });
  },
);

test('without a profile of the operator a container that names none is not filtered', kernel, async () => {
  const containers = await startFiltered('', { profileName: undefined });
  assert.equal(await run(containers, spec('none', { value: probe })), 'mkdir chmod ');
  assert.equal(await run(containers, spec('named', { value: probe }, withProfile('no-mkdir'))), 'chmod ');
});

test('health checks and sessions have the filter of their container, nested containers their own', kernel, async () => {
  const containers = await startFiltered(',filesystem/linux,namespaces/pid');
  const parent = spec('parent', { value: 'exec sleep 600' }, withProfile('inner/no-chmod.json'));
  containers.launch(parent);
  await next('started', 'parent');
  const command = { kind: 'command', command: { value: `${probe} >probed` }, environment: { PATH: path } } as const;
  await containers.probe(parent.containerId, command, 10_000);
  assert.equal(existsSync(`${parent.sandbox}/d`), true);
  const outer = { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] };
  const sandboxOf = (id: string): string => `${parent.sandbox}/containers/${id}`;
  const inside = (id: string, extra: Partial<ContainerSpec>): ContainerSpec => ({
    ...spec(
      id,
      { value: 'grep Seccomp: /proc/self/status; chmod 700 . 2>&1; mkdir nested 2>&1; true' },
      { outer, ...extra },
    ),
    sandbox: sandboxOf(id),
  });
  const session = await run(containers, inside('session', { isSession: true }));
  assert.match(session, /Seccomp:\t2 chmod: .*not permitted $/);
  const nested = await run(containers, inside('nested', {}));
  assert.match(nested, /Seccomp:\t2 mkdir: .*not permitted $/);
  containers.destroy(parent.containerId);
  await next('exited', 'parent');
  // Also after a restart of the agent.
  const pod = { taskId: 't', container: undefined, resources: [] };
  const task = spec(
    'task',
    { value: 'exec sleep 600' },
    { outer: { ...outer, containerId: 'pod' as ContainerId, pod } },
  );
  containers.launch(task);
  await next('started', 'task');
  await containers.close();
  const second = await startFiltered(',filesystem/linux,namespaces/pid', { profileName: undefined });
  await second.recover();
  const status = { kind: 'command', command: { value: 'mkdir d || exit 7' }, environment: { PATH: path } } as const;
  assert.deepEqual(await second.probe(task.containerId, status, 10_000), {
    kind: 'command',
    status: { kind: 'exited', code: 7 },
  });
  second.destroy(task.containerId);
  await next('exited', 'task');
});

test('the rules of a profile are those for the bounding capabilities of the container', kernel, async () => {
  const syscalls = [
    rule(MKDIR, { includes: { caps: ['CAP_NET_RAW'] } }),
    rule(['chmod', 'fchmodat'], { excludes: { caps: ['CAP_NET_RAW'] } }),
  ];
  writeProfiles({ byCapability: profileOf(...syscalls) });
  const containers = await startFiltered(',linux/capabilities', { profileName: 'byCapability' });
  const bounded = (...capabilities: CapabilityInfoCapability[]) =>
    withLinux({ bounding_capabilities: { capabilities } });
  const seenBy = (id: string, extra: Partial<ContainerSpec>) => run(containers, spec(id, { value: probe }, extra));
  assert.equal(await seenBy('raw', bounded('NET_RAW', 'CHOWN')), 'chmod ');
  assert.equal(await seenBy('chown', bounded('CHOWN')), 'mkdir ');
  assert.equal(await seenBy('all', {}), 'chmod ');
});

async function refusal(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  for (;;) {
    const found = events.find(({ containerId, kind }) => containerId === it.containerId && kind !== 'started');
    if (found !== undefined) return found.kind === 'launchFailed' ? found.message : found.kind;
    await nextEvent();
  }
}

test(
  'LINUX-SECCOMP-1, PROFILES-1: a profile that is missing, damaged or elsewhere fails the launch',
  kernel,
  async () => {
    writeFileSync(`${root}/outside`, profileOf());
    writeProfiles({
      garbage: 'no JSON',
      unknown: profileOf(rule(['mkdir', 'no_such_call'])),
      large: ' '.repeat(LIMITS.seccompProfile.most + 1),
    });
    const containers = await startFiltered();
    const seccomp = (info: LinuxInfo['seccomp']) => withLinux({ seccomp: info });
    const table: readonly (readonly [Partial<ContainerSpec>, RegExp])[] = [
      [withProfile('missing'), /^seccomp profile "missing": ENOENT: no such file or directory.*profiles\/missing/],
      [
        withProfile('../outside'),
        /^seccomp profile "\.\.\/outside": expected a relative path in --seccomp_config_dir \(/,
      ],
      [withProfile('inner/../../outside'), /: expected a relative path/],
      [withProfile(`${root}/outside`), /: expected a relative path/],
      [withProfile(''), /: expected a relative path/],
      [withProfile('a\0b'), /: expected a relative path|null bytes/],
      [withProfile('inner'), /^seccomp profile "inner": .* is no file$/],
      [withProfile('garbage'), /^seccomp profile "garbage": .*profiles\/garbage: expected JSON/],
      [withProfile('large'), /: expected at most 262144 bytes$/],
      [withProfile('unknown'), /^seccomp profile "unknown": "no_such_call" is no system call/],
      [seccomp({}), /^container\.linux_info\.seccomp\.profile_name: expected the name of a profile, or unconfined$/],
      [seccomp({ unconfined: false }), /^container\.linux_info\.seccomp\.profile_name: expected/],
      [seccomp({ unconfined: true, profile_name: 'no-mkdir' }), /profile_name and unconfined exclude each other$/],
    ];
    for (const [index, [extra, expected]] of table.entries()) {
      assert.match(await refusal(containers, spec(`c${index}`, { value: 'true' }, extra)), expected);
    }
    const outer = { containerId: 'parent' as ContainerId, sandbox: root, volumes: [] };
    const session = spec('session', { value: 'true' }, { outer, isSession: true, ...withProfile('no-mkdir') });
    assert.match(await refusal(containers, session), /^container\.linux_info\.seccomp: a session has the filter/);
  },
);

test(
  'without the isolator a profile that a container names is refused, as is the launcher without it',
  kernel,
  async () => {
    const without = await start({ launcher: 'linux', isolation: { names: 'linux/nnp' } });
    const needs = /^container\.linux_info\.seccomp\.profile_name: needs the isolator linux\/seccomp$/;
    assert.match(await refusal(without, spec('a', { value: 'true' }, withProfile('no-mkdir'))), needs);
    const warnings = (await start({ isolation: { names: 'linux/seccomp' } })).warnings;
    assert.deepEqual(warnings, ['--isolation: linux/seccomp has no effect: needs --launcher=linux']);
  },
);

test('an agent whose profiles can not be used says why', kernel, async () => {
  const configDir = writeProfiles({ garbage: '{', unknown: profileOf(rule(['no_such_call'])) });
  const missing = err('the library libseccomp.so.2 is not installed');
  const table: readonly (readonly [Partial<Parameters<typeof openSeccompProfiles>[0]>, RegExp])[] = [
    [{ compiler: missing }, /^the library libseccomp\.so\.2 is not installed$/],
    [{ configDir: undefined }, /^expected --seccomp_config_dir, the directory of the profiles$/],
    [{ profileName: 'missing' }, /^--seccomp_profile_name: ENOENT/],
    [{ profileName: '/etc/passwd' }, /^--seccomp_profile_name: expected a relative path/],
    [{ profileName: 'garbage' }, /^--seccomp_profile_name: .*garbage: expected JSON/],
    [{ profileName: 'unknown' }, /^--seccomp_profile_name: unknown: "no_such_call" is no system call/],
  ];
  for (const [changes, expected] of table) {
    const opened = await openSeccompProfiles(
      { configDir, profileName: undefined, compiler, ...changes },
      createFiles(),
    );
    assert.match(opened.ok ? 'opened' : opened.error, expected);
  }
});
