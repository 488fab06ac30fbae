// Configurations and results, as the specification of CNI has them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { parseObject } from '../operator-json.js';
import { parseNetwork, readNetworks } from './config.js';
import { hostsText, resolverText } from './name-files.js';
import { addressingOf, errorOf } from './results.js';

const problemOf = (it: { readonly ok: true } | { readonly ok: false; readonly error: string }): string =>
  it.ok ? '' : it.error;

test('a file has one plugin, or a list of them', () => {
  assert.deepEqual(parseNetwork('{"cniVersion": "0.4.0", "name": "n", "type": "bridge", "bridge": "b"}'), {
    ok: true,
    value: {
      name: 'n',
      version: '0.4.0',
      plugins: [{ cniVersion: '0.4.0', name: 'n', type: 'bridge', bridge: 'b' }],
    },
  });
  const list = '{"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge"}, {"type": "portmap"}]}';
  assert.deepEqual(parseNetwork(list), {
    ok: true,
    value: { name: 'n', version: '1.0.0', plugins: [{ type: 'bridge' }, { type: 'portmap' }] },
  });
  const old = parseNetwork('{"name": "n", "type": "bridge"}');
  assert.equal(old.ok && old.value.version, '0.1.0');
});

test('what is no network is refused with the field', () => {
  const refused: readonly [string, RegExp][] = [
    ['', /expected JSON/],
    ['[]', /expected a JSON object/],
    ['{"type": "bridge"}', /^name: expected/],
    ['{"name": "../x", "type": "bridge"}', /^name: expected/],
    ['{"name": "n", "type": "../../bin/sh"}', /^plugins\[0\]\.type: expected/],
    ['{"name": "n", "type": ".."}', /^plugins\[0\]\.type: expected/],
    ['{"name": "n", "plugins": []}', /^plugins: expected 1 to 32/],
    [`{"name": "n", "plugins": [${Array(33).fill('{"type": "a"}').join()}]}`, /^plugins: expected 1 to 32/],
    ['{"name": "n", "plugins": [{"type": "a"}, 1]}', /^plugins\[1\]\.type: expected/],
    ['{"name": "n", "type": "a", "cniVersion": "2.0.0"}', /^cniVersion: expected one of .*, got "2\.0\.0"/],
  ];
  for (const [text, expected] of refused) assert.match(problemOf(parseNetwork(text)), expected, text);
});

test('the networks of a directory: of several with a name the first file, and what is no network is told', async () => {
  const directory = mkdtempSync(`${tmpdir()}/meseta-cni-`);
  const write = (name: string, text: string): void => writeFileSync(`${directory}/${name}`, text);
  write('20.conf', '{"name": "n", "type": "second"}');
  write('10.conf', '{"name": "n", "type": "first"}');
  write('30.conflist', '{"name": "broken"');
  write('notes.txt', 'no network');
  const read = await readNetworks(createFiles(), directory);
  rmSync(directory, { recursive: true });
  assert.ok(read.ok);
  assert.deepEqual(
    [...read.value.byName.values()].map(({ plugins }) => plugins[0]?.['type']),
    ['first'],
  );
  assert.match(read.value.problems.join('\n'), /20\.conf: another file .*\n.*30\.conflist: expected JSON/);
  assert.match(problemOf(await readNetworks(createFiles(), directory)), /ENOENT/);
});

test('addresses of results of each version, and what is none', () => {
  const none = { nameservers: [], domain: undefined, search: [], options: [] };
  const results: readonly [string, readonly string[]][] = [
    ['{"ips": [{"address": "10.1.0.5/16"}, {"address": "fd00::5/64"}]}', ['10.1.0.5', 'fd00::5']],
    ['{"ips": [{"version": "4", "address": "10.1.0.5/16", "interface": 0}]}', ['10.1.0.5']],
    ['{"ip4": {"ip": "10.1.0.5/16"}, "ip6": {"ip": "fd00::5/64"}}', ['10.1.0.5', 'fd00::5']],
    ['{}', []],
  ];
  for (const [text, addresses] of results) {
    const parsed = parseObject(text);
    assert.deepEqual(parsed.ok && addressingOf(parsed.value), { ok: true, value: { addresses, dns: none } });
  }
  const refused: readonly [string, RegExp][] = [
    ['{"ips": [{"address": "here\\n1.2.3.4 victim"}]}', /^ips: expected IP addresses/],
    ['{"ips": [{"address": 1}]}', /^ips: expected IP addresses/],
    ['{"ips": [null]}', /^ips: expected IP addresses/],
    [`{"ips": [${Array(65).fill('{"address": "10.1.0.5/16"}').join()}]}`, /^ips: expected at most 64/],
    ['{"dns": {"nameservers": ["a"]}}', /^dns\.nameservers: expected IP/],
    ['{"dns": {"search": ["a\\nnameserver 6.6.6.6"]}}', /^dns: expected/],
    [`{"dns": {"options": [${Array(97).fill('"a"').join()}]}}`, /^dns: expected at most/],
  ];
  for (const [text, expected] of refused) {
    const parsed = parseObject(text);
    assert.match(parsed.ok ? problemOf(addressingOf(parsed.value)) : '', expected, text);
  }
});

test('an error of a plugin is one line of limited length', () => {
  const error = '{"cniVersion": "1.0.0", "code": 7, "msg": "Invalid", "details": "no\\nsubnet"}';
  assert.equal(errorOf(error, ''), 'Invalid: no subnet (code 7)');
  assert.equal(errorOf('', 'panic:\n goroutine'), 'panic:  goroutine');
  assert.equal(errorOf('', ''), 'without a message');
  assert.equal(errorOf('', 'x'.repeat(1e5)).length, 503);
});

test('/etc/hosts has the name of the container, /etc/resolv.conf what the plugins say', () => {
  assert.match(
    hostsText('web', ['10.1.0.5', 'fd00::5']),
    /^127\.0\.0\.1\tlocalhost\n.*\n10\.1\.0\.5\tweb\nfd00::5\tweb\n$/,
  );
  const dns = { nameservers: ['10.1.0.1'], domain: 'cluster', search: ['a.cluster', 'b'], options: ['ndots:2'] };
  assert.equal(
    resolverText([{ ...dns, nameservers: [], search: [], options: [], domain: undefined }, dns]),
    'domain cluster\nsearch a.cluster b\noptions ndots:2\nnameserver 10.1.0.1\n',
  );
  assert.equal(resolverText([{ ...dns, nameservers: [] }]), undefined);
});
