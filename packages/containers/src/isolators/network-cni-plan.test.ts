// What network/cni needs of a machine and of a specification; network-cni.test.ts has the containers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import type { ContainerInfo, NetworkInfo, Resource } from '@meseta/wire';
import { isolationOptions } from '../testing/isolation.js';
import { planContext, spec } from '../testing/plans.js';
import { createNetworkCni } from './network-cni.js';

const PORTS: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_990, end: 31_999 }] } };

const isolator = (changes: Partial<Parameters<typeof createNetworkCni>[0]> = {}) =>
  createNetworkCni({
    ...isolationOptions.cni,
    files: createFiles(),
    processes: createProcesses(),
    warn: assert.fail,
    ...changes,
  });

test('the isolator needs the linux launcher and both directories', () => {
  const host = { ...planContext.host, linux: ok(undefined) };
  assert.deepEqual(isolator().supports(planContext.host), err('posix'));
  assert.deepEqual(isolator().supports(host), err('it needs --network_cni_config_dir'));
  assert.deepEqual(isolator({ configDir: '/x' }).supports(host), err('it needs --network_cni_plugins_dir'));
});

test('NETWORK-CNI-3: what can not be carried out is refused with the field', () => {
  const mapped = (host_port: number, container_port = 80, protocol = 'tcp'): NetworkInfo => ({
    name: 'n',
    port_mappings: [{ host_port, container_port, protocol }],
  });
  const refused: readonly [Partial<ContainerInfo>, RegExp][] = [
    [{ network_infos: [{ name: 'n' }, { name: 'n' }] }, /^container\.network_infos: expected each network once/],
    [{ network_infos: Array.from({ length: 17 }, (_, n) => ({ name: `${n}` })) }, /network_infos: expected at most 16/],
    [{ hostname: 'own' }, /^container\.hostname: only a container with a network of its own/],
    [{ hostname: 'a b', network_infos: [{ name: 'n' }] }, /^container\.hostname: expected at most 63/],
    [{ hostname: 'x'.repeat(64), network_infos: [{ name: 'n' }] }, /^container\.hostname: expected at most 63/],
    [
      { network_infos: [mapped(5051)] },
      /^container\.network_infos\[0\]\.port_mappings: host_port: expected a port among/,
    ],
    [{ network_infos: [mapped(31_990, 0)] }, /container_port: expected 1 to 65535, got 0/],
    [{ network_infos: [mapped(31_990, 80, '-j ACCEPT')] }, /protocol: expected tcp, udp or sctp/],
    [{ network_infos: [{ port_mappings: mapped(31_990).port_mappings }] }, /has the host's ports/],
  ];
  const planOf = (container: Partial<ContainerInfo>) =>
    isolator().plan?.({ ...spec, resources: [PORTS], container: { type: 'MESOS', ...container } }, planContext.host);
  for (const [container, expected] of refused) {
    const planned = planOf(container);
    assert.match(planned?.ok === false ? planned.error : '', expected);
  }
  assert.deepEqual(planOf({ network_infos: [mapped(31_990), {}], hostname: 'own-1' }), ok({}));
});
