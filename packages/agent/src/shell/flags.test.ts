import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '@meseta/platform';
import { agentFlags } from './flags.js';

test('every flag of a Mesos agent is known; an error about an unknown flag names the nearest one', () => {
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

test('flags of containers: an error says what was expected', () => {
  const dns = (kind: string, network: object, nameservers = ['10.0.0.1'], search: readonly string[] = []): string =>
    `--default_container_dns=${JSON.stringify({ [kind]: [{ ...network, dns: { nameservers, search } }] })}`;
  const gc = (headroom: number, nanoseconds: number): string =>
    `--image_gc_config={"image_disk_headroom":${headroom},"image_disk_watch_interval":{"nanoseconds":${nanoseconds}}}`;
  const problemOf = (flag: string): string => {
    const parsed = parseFlags(agentFlags, {
      argv: ['--work_dir=/w', '--master=h:1', flag],
      env: {},
      prefix: 'MESOS_',
      readFile: () => '',
    });
    return parsed.ok ? 'accepted' : parsed.error.message;
  };
  const flags: readonly (readonly [flag: string, expected: RegExp])[] = [
    ['--image_providers=docker', /^accepted$/],
    ['--image_providers=docker,appc', /images of appc are not supported/],
    ['--image_providers=oci', /expected docker, got "oci"/],
    ['--image_provisioner_backend=copy', /^accepted$/],
    ['--image_provisioner_backend=aufs', /expected overlay or copy/],
    ['--docker_registry=http://localhost:5000', /^accepted$/],
    ['--docker_registry=/images', /^accepted$/],
    ['--docker_registry=hdfs://x/y', /expected an http or https URL, or the absolute path/],
    ['--docker_registry=https://', /expected an http or https URL/],
    [gc(0.1, 3.6e12), /^accepted$/],
    [gc(1.1, 3.6e12), /image_disk_headroom: expected 0 to 1, got 1\.1/],
    [gc(0.1, 0), /image_disk_watch_interval: expected at least a second/],
    ['--image_gc_config={}', /expected JSON such as/],
    [dns('mesos', { network_mode: 'CNI' }), /^accepted$/],
    [dns('docker', { network_mode: 'USER', network_name: 'n' }), /^accepted$/],
    [dns('mesos', { network_mode: 'HOST' }), /mesos\[0\]\.network_mode: expected CNI/],
    [dns('docker', {}), /docker\[0\]\.network_mode: expected BRIDGE or USER/],
    [dns('docker', { network_mode: 'BRIDGE', network_name: 'n' }), /network_name: expected without BRIDGE/],
    [dns('mesos', { network_mode: 'CNI' }, ['x']), /dns\.nameservers: expected IP addresses, got "x"/],
    [dns('mesos', { network_mode: 'CNI' }, []), /dns\.nameservers: expected IP addresses/],
    [dns('mesos', { network_mode: 'CNI' }, ['10.0.0.1'], ['a b']), /dns: expected words without spaces/],
    ['--default_container_dns={"mesos": [{}]}', /expected JSON such as/],
  ];
  for (const [flag, expected] of flags) assert.match(problemOf(flag), expected, flag);
});
