import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInfo, EnvironmentVariable, Volume } from '@meseta/wire';
import { checkCommand, checkContainer } from './command.js';

const secret = { type: 'VALUE', value: { data: 'AA==' } } as const;
const reference = { name: 'r' };

test('an environment variable is valid or refused with the field at fault', () => {
  const at = 'f.environment.variables[1]';
  const table: readonly (readonly [EnvironmentVariable, string | undefined])[] = [
    [{ name: 'A', value: '' }, undefined],
    [{ name: 'A', type: 'VALUE', value: 'a' }, undefined],
    [{ name: 'A' }, `${at}.value: is missing for 'A'`],
    [{ name: 'A', value: 'a', secret }, `${at}.secret: must not be set for a variable of type VALUE`],
    [{ name: 'A', type: 'UNKNOWN' }, `${at}.type: expected VALUE or SECRET, got UNKNOWN`],
    [{ name: 'A', type: 'SECRET', secret }, undefined],
    [{ name: 'A', type: 'SECRET' }, `${at}.secret: is missing for 'A'`],
    [{ name: 'A', type: 'SECRET', secret, value: 'a' }, `${at}.value: must not be set for a variable of type SECRET`],
    [
      { name: 'A', type: 'SECRET', secret: { type: 'VALUE' } },
      `${at}.secret.value: is missing for a secret of type VALUE`,
    ],
    [
      { name: 'A', type: 'SECRET', secret: { ...secret, reference } },
      `${at}.secret.reference: must not be set for a secret of type VALUE`,
    ],
    [{ name: 'A', type: 'SECRET', secret: { type: 'REFERENCE', reference } }, undefined],
    [
      { name: 'A', type: 'SECRET', secret: { type: 'REFERENCE' } },
      `${at}.secret.reference: is missing for a secret of type REFERENCE`,
    ],
    [
      { name: 'A', type: 'SECRET', secret: { ...secret, type: 'REFERENCE', reference } },
      `${at}.secret.value: must not be set for a secret of type REFERENCE`,
    ],
    [{ name: 'A', type: 'SECRET', secret: { reference, value: { data: 'AA==' } } }, undefined],
  ];
  for (const [variable, problem] of table) {
    const variables = [{ name: 'first', value: 'x' }, variable];
    assert.equal(checkCommand('f', { environment: { variables } }), problem, JSON.stringify(variable));
  }
  assert.equal(checkCommand('f', {}), undefined);
});

test('a volume of a container is valid or refused with the field at fault', () => {
  const at = 'f.volumes[0]';
  const volume = (more: Partial<Volume>): Volume => ({ mode: 'RW', container_path: 'data', ...more });
  const none = `${at}: expected exactly one of host_path, image and source, got 0`;
  const table: readonly (readonly [Volume, string | undefined])[] = [
    [volume({ host_path: '/x' }), undefined],
    [volume({}), none],
    [
      volume({ host_path: '/x', source: { type: 'HOST_PATH', host_path: { path: '/x' } } }),
      `${at}: expected exactly one of host_path, image and source, got 2`,
    ],
    [
      volume({ host_path: '/x', container_path: '../a' }),
      `${at}.container_path: expected a path without "..", got "../a"`,
    ],
    [volume({ source: { type: 'HOST_PATH', host_path: { path: '/x' } } }), undefined],
    [volume({ source: { type: 'HOST_PATH' } }), `${at}.source.host_path: is missing`],
    [volume({ source: { type: 'SECRET' } }), `${at}.source.secret: is missing`],
    [volume({ source: { type: 'SECRET', secret } }), undefined],
    [volume({ source: { type: 'DOCKER_VOLUME' } }), `${at}.source.docker_volume: is missing`],
    [volume({ source: { type: 'DOCKER_VOLUME', docker_volume: { name: 'n' } } }), undefined],
    [volume({ source: { type: 'CSI_VOLUME' } }), `${at}.source.csi_volume: is missing`],
    [volume({ source: { type: 'SANDBOX_PATH' } }), `${at}.source.sandbox_path: is missing`],
    [volume({ source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'SELF', path: 'a' } } }), undefined],
    [
      volume({ source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'SELF', path: 'a/../..' } } }),
      `${at}.source.sandbox_path.path: expected a path without "..", got "a/../.."`,
    ],
    [volume({ source: {} }), `${at}.source.type: is missing or unknown`],
    [volume({ source: { type: 'UNKNOWN' } }), `${at}.source.type: is missing or unknown`],
  ];
  for (const [one, problem] of table) {
    assert.equal(checkContainer('f', { type: 'MESOS', volumes: [one] }), problem, JSON.stringify(one));
  }
});

test('a container is valid or refused with the field at fault', () => {
  const table: readonly (readonly [ContainerInfo, string | undefined])[] = [
    [{ type: 'MESOS' }, undefined],
    [{ type: 'DOCKER' }, 'f.docker: is missing for a container of type DOCKER'],
    [{ type: 'DOCKER', docker: { image: 'i' } }, undefined],
    [{ type: 'MESOS', linux_info: { seccomp: { unconfined: true } } }, undefined],
    [{ type: 'MESOS', linux_info: { seccomp: { unconfined: false, profile_name: 'p' } } }, undefined],
    [
      { type: 'MESOS', linux_info: { seccomp: { unconfined: true, profile_name: 'p' } } },
      'f.linux_info.seccomp: profile_name and unconfined exclude each other',
    ],
  ];
  for (const [container, problem] of table) {
    assert.equal(checkContainer('f', container), problem, JSON.stringify(container));
  }
});
