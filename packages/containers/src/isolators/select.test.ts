import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { cgroupsOptions, isolationOptions } from '../testing/isolation.js';
import { limits } from '../testing/plans.js';
import type { HostFacts } from './isolator.js';
import { type IsolationOptions, parseIsolation, selectIsolators } from './select.js';

const POSIX: HostFacts['linux'] = err('needs --launcher=linux');

const select = (names: string, changes: Partial<IsolationOptions> = {}) => {
  const linux = changes.launcher === 'linux' ? ok(undefined) : POSIX;
  const options = {
    files: createFiles(),
    processes: createProcesses(),
    clock: { setTimer: () => () => {} },
    runtimeDir: '/nowhere',
    processesOf: async () => [],
    warn: assert.fail,
    ...isolationOptions,
    names,
    launcher: 'posix' as const,
    images: undefined,
    seccomp: err('none'),
    gpus: undefined,
    ...changes,
  };
  const selected = selectIsolators(options, { setpriv: undefined, limits, linux, capabilities: [], bounding: [] });
  assert.ok(selected.ok);
  return { ...selected.value, names: selected.value.isolators.map(({ name }) => name) };
};

const ALWAYS = ['filesystem/posix', 'volume/sandbox_path', 'posix/rlimits'];

test('--isolation names isolators, which are added to those that every container has', () => {
  const table: readonly [names: string, added: readonly string[]][] = [
    ['posix/cpu,posix/mem', ['posix/cpu', 'posix/mem']],
    ['process', ['posix/cpu', 'posix/mem']],
    [' posix/mem , disk/du', ['posix/mem', 'disk/du']],
    ['posix/disk', ['disk/du']],
    ['filesystem/posix,posix/rlimits,environment_secret', []],
    ['disk/du,disk/du', ['disk/du']],
  ];
  for (const [names, added] of table) {
    assert.deepEqual(select(names).names, [...ALWAYS, ...added], names);
    assert.deepEqual(select(names).warnings, []);
  }
});

test('a name that Mesos does not have is refused, with the names that this agent has', () => {
  for (const name of ['posix/cpus', '', 'cgroups/mem2', 'constructor', 'toString']) {
    const parsed = parseIsolation(`posix/cpu,${name}`);
    assert.match(parsed.ok ? '' : parsed.error, /^expected a list of isolators .*disk\/du.*, got "/, name);
  }
});

test('an isolator of Mesos that this machine lacks is a warning, and what needs it is refused with the reason', () => {
  const { warnings, capabilities, names } = select('cgroups/cpu,cgroups/mem,posix/mem');
  assert.deepEqual(names, [...ALWAYS, 'posix/mem']);
  assert.equal(warnings.length, 2);
  assert.match(warnings[1] ?? '', /^--isolation: cgroups\/mem has no effect: it needs --launcher=linux/);
  assert.match(capabilities.cpusLimits.ok ? '' : capabilities.cpusLimits.error, /needs --launcher=linux/);
  assert.ok(capabilities.rlimits.ok && capabilities.sandboxPathVolumes.ok);
});

const withCgroups = { skip: process.getuid?.() !== 0 };

test(
  'cgroups/all is every isolator of cgroups that this machine has, and the others are no warnings',
  withCgroups,
  () => {
    const { names, warnings, capabilities } = select('cgroups/all', { launcher: 'linux' });
    assert.deepEqual(warnings, []);
    const added = names.slice(ALWAYS.length);
    assert.ok(added.length > 0 && added.every((name) => name.startsWith('cgroups/')));
    assert.equal(capabilities.memLimits.ok, added.includes('cgroups/mem'));
  },
);

test('limits need the isolator of their resource, and hierarchies that are mounted', withCgroups, () => {
  const { capabilities } = select('cgroups/mem', { launcher: 'linux' });
  assert.match(
    capabilities.cpusLimits.ok ? '' : capabilities.cpusLimits.error,
    /limits of cpus need the isolator cgroups\/cpu/,
  );
  const elsewhere = { ...cgroupsOptions, hierarchy: '/no/such' };
  const { warnings } = select('cgroups/mem', { launcher: 'linux', cgroups: elsewhere });
  assert.match(warnings.join(), /^--isolation: cgroups\/mem has no effect: .*version 1 are not mounted \(memory\)/);
});

test('with the linux launcher its isolators are there; filesystem/linux takes the place of filesystem/posix', () => {
  const names = 'filesystem/linux,volume/host_path,namespaces/pid,namespaces/ipc,linux/capabilities,linux/nnp';
  const { warnings, capabilities, names: selected } = select(names, { launcher: 'linux' });
  assert.deepEqual(warnings, []);
  assert.deepEqual(selected, [
    'filesystem/linux',
    'volume/sandbox_path',
    'posix/rlimits',
    ...names.split(',').slice(1),
  ]);
  for (const name of ['mounts', 'hostPathVolumes', 'capabilities', 'ipcNamespaces'] as const) {
    assert.ok(capabilities[name].ok, name);
  }
  const without = select(names);
  assert.equal(without.warnings.length, 6);
  assert.deepEqual(without.names, ALWAYS);
  for (const warning of without.warnings) assert.match(warning, /has no effect: needs --launcher=linux$/);
  assert.match(without.capabilities.mounts.ok ? '' : without.capabilities.mounts.error, /needs --launcher=linux/);
});
