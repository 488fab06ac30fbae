import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressFlags, ownAddressOf, withLibprocessVariables } from './own-address.js';

const flags: AddressFlags = {
  ip: undefined,
  ip_discovery_command: undefined,
  port: 5050,
  advertise_ip: undefined,
  advertise_port: undefined,
  require_peer_address_ip_match: false,
};
const env = {
  LIBPROCESS_IP: '10.0.0.1',
  LIBPROCESS_PORT: '6050',
  LIBPROCESS_ADVERTISE_IP: '10.9.8.7',
  LIBPROCESS_ADVERTISE_PORT: '99',
};

test("libprocess' variables apply where the flag is not given", () => {
  const all = { ip: '10.0.0.1', port: 6050, advertise_ip: '10.9.8.7', advertise_port: 99 };
  const given = { ip: '10.0.0.2', port: 5050, advertise_ip: '10.0.0.3', advertise_port: 98 };
  const table: readonly (readonly [
    Partial<AddressFlags>,
    readonly string[],
    NodeJS.ProcessEnv,
    Partial<AddressFlags>,
  ])[] = [
    [{}, [], {}, {}],
    [{}, [], env, all],
    [given, ['port'], env, given],
    [{ ip_discovery_command: 'true' }, [], { LIBPROCESS_IP: '10.0.0.1' }, { ip: undefined }],
    [{}, [], { LIBPROCESS_PORT: '0' }, { port: 5050 }],
    ...[undefined, true].map(
      (flag) =>
        [
          { require_peer_address_ip_match: flag },
          [],
          { LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH: flag === undefined ? '1' : 'false' },
          { require_peer_address_ip_match: true },
        ] as const,
    ),
  ];
  for (const [own, names, variables, expected] of table) {
    const read = withLibprocessVariables({ ...flags, ...own }, new Set(names), variables);
    assert.deepEqual(read, { ok: true, value: { ...flags, ...own, ...expected } });
  }
  for (const name of ['LIBPROCESS_PORT', 'LIBPROCESS_ADVERTISE_PORT', 'LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH']) {
    for (const text of ['x', '65536', '-1', '']) {
      const read = withLibprocessVariables(flags, new Set(), { [name]: text });
      assert.ok(!read.ok && read.error.flag === name, text);
    }
  }
});

test('OWN-ADDRESS-1: the advertised address is one of this host, never the wildcard address', async () => {
  const named = async () => '10.0.0.5';
  const nameless = async () => undefined;
  const own = async (...given: Parameters<typeof ownAddressOf>) => {
    const found = await ownAddressOf(...given);
    return found.ok ? [found.value.advertiseIp, found.value.localIp] : found.error.flag;
  };
  for (const any of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0']) {
    assert.deepEqual(await own(any, undefined, named), ['10.0.0.5', '10.0.0.5'], any);
    assert.deepEqual(await own(any, '1.2.3.4', named), ['1.2.3.4', '10.0.0.5'], any);
    assert.equal(await own(any, undefined, nameless), 'ip', any);
    assert.equal(await own('10.0.0.1', any, named), 'advertise_ip', any);
  }
  assert.deepEqual(await own('10.0.0.1', undefined, nameless), [undefined, '10.0.0.1']);
  assert.deepEqual(await own('10.0.0.1', '1.2.3.4', nameless), ['1.2.3.4', '10.0.0.1']);
  assert.equal(await own('localhost', undefined, named), 'ip');
  assert.equal(await own('10.0.0.1', 'example.com', named), 'advertise_ip');
  const loopback = await ownAddressOf('0.0.0.0', undefined, async () => '127.0.1.1');
  assert.match(loopback.ok ? loopback.value.warnings.join() : '', /--advertise_ip/);
});
