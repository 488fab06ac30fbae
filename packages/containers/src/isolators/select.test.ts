import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { limits } from '../testing/plans.js';
import { parseIsolation, selectIsolators } from './select.js';

const select = (names: string) => {
  const options = {
    files: createFiles(),
    clock: { setTimer: () => () => {} },
    names,
    diskWatchIntervalMs: 1000,
    enforceDiskQuota: false,
  };
  const selected = selectIsolators(options, { setpriv: undefined, limits });
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
  assert.match(warnings[1] ?? '', /^--isolation: cgroups\/mem has no effect: /);
  assert.match(capabilities.limits.ok ? '' : capabilities.limits.error, /Limits need cgroups/);
  assert.ok(capabilities.rlimits.ok && capabilities.sandboxPathVolumes.ok);
});
