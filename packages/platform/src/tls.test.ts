import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import { parseFlags } from './flags.js';
import { type ConnectionLimits, createHost, type Host, type HostNote } from './host.js';
import { until } from './testing/until.js';
import { type TlsConfig, tlsFlags, tlsSettingsOf } from './tls-config.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-tls-'));
const at = (name: string): string => join(directory, name);
const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
  rmSync(directory, { recursive: true });
});

/** Two CAs; certificates for the loopback address, for other ones and for a name that contains it, and one of the second CA. */
function makeCertificates(): boolean {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: directory });
  try {
    openssl('version');
  } catch {
    return false;
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  for (const ca of ['ca', 'otherca']) {
    openssl('req', '-x509', ...key, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.pem`);
  }
  for (const [name, ca, identity] of [
    ['good', 'ca', 'IP.1=127.0.0.1'],
    ['elsewhere', 'ca', 'IP.1=10.9.8.7'],
    ['named', 'ca', 'DNS.1=x, IP Address:127.0.0.1, y'],
    ['stranger', 'otherca', 'IP.1=127.0.0.1'],
  ] as const) {
    openssl('req', ...key.slice(0, 5), '-subj', `/CN=${name}.example`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    writeFileSync(at('extensions'), `subjectAltName=@names\n[names]\n${identity}\n`);
    const sign = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'extensions'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...sign, '-out', `${name}.pem`);
  }
  mkdirSync(at('cas'));
  writeFileSync(at('cas/ca.pem'), readFileSync(at('ca.pem')));
  return true;
}

const skip = makeCertificates() ? false : 'there is no openssl to make certificates with';
const nothing = {} as Parameters<typeof tlsSettingsOf>[0];

function configOf(certificate: string, settings: Readonly<Record<string, string>> = {}): TlsConfig {
  const env = {
    LIBPROCESS_SSL_ENABLED: 'true',
    LIBPROCESS_SSL_KEY_FILE: at(`${certificate}.key`),
    LIBPROCESS_SSL_CERT_FILE: at(`${certificate}.pem`),
    LIBPROCESS_SSL_CA_DIR: at('cas'),
    LIBPROCESS_SSL_VERIFY_IPADD: 'true',
    ...settings,
  };
  const made = tlsSettingsOf(nothing, env);
  assert.ok(made.ok && made.value.config !== undefined, made.ok ? 'not enabled' : made.error.message);
  return made.value.config;
}

interface Party {
  readonly host: Host;
  readonly heard: string[];
  readonly lost: string[];
  readonly notes: HostNote[];
}

async function party(tls: TlsConfig | undefined, connectionLimits?: ConnectionLimits): Promise<Party> {
  const [heard, lost, notes]: [string[], string[], HostNote[]] = [[], [], []];
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    tls,
    connectionLimits,
    onMessage({ body }) {
      heard.push(Buffer.from(body).toString());
      return 'accepted';
    },
    onRequest: (request, response) => response.end(`asked ${request.url}`),
    onPeerLost: (address) => lost.push(address),
    onNote: (note) => notes.push(note),
  });
  assert.ok(made.ok);
  opened.push(() => made.value.close());
  return { host: made.value, heard, lost, notes };
}

/** Whether messages from one reach the other. */
async function reaches(from: Party, to: Party): Promise<boolean> {
  const pid: Pid = pidOf('master', to.host.address);
  from.host.link(pid);
  for (const text of ['one', 'two', 'x'.repeat(100_000)]) from.host.send(pid, 'agent', 'a.Name', Buffer.from(text));
  await until('a message or the end', () => to.heard.length === 3 || from.lost.length > 0);
  if (to.heard.length > 0)
    assert.deepEqual(
      to.heard.map(({ length }) => length),
      [3, 3, 100_000],
    );
  return to.heard.length === 3;
}

const verify = { LIBPROCESS_SSL_VERIFY_SERVER_CERT: 'true', LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: 'openssl' };
const demand = { LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: '1' };
const downgrade = { LIBPROCESS_SSL_SUPPORT_DOWNGRADE: 'true' };
type Side = readonly [certificate: string, settings: Readonly<Record<string, string>>] | undefined;

/** The sender, the receiver, and whether messages arrive. */
const meetings: readonly (readonly [what: string, from: Side, to: Side, heard: boolean])[] = [
  ['no certificate is checked', ['stranger', {}], ['stranger', {}], true],
  ['the server is checked', ['good', verify], ['good', {}], true],
  ['the server is of another CA', ['good', verify], ['stranger', {}], false],
  ['the server has another address', ['good', verify], ['elsewhere', {}], false],
  ['the server has a name that contains the address', ['good', verify], ['named', {}], false],
  ['addresses do not count', ['good', { ...verify, LIBPROCESS_SSL_VERIFY_IPADD: 'false' }], ['good', {}], false],
  ['legacy: the address counts', ['good', { LIBPROCESS_SSL_VERIFY_CERT: 'true' }], ['good', {}], true],
  ['legacy: the name is another', ['good', { LIBPROCESS_SSL_VERIFY_CERT: 'true' }], ['elsewhere', {}], false],
  ['both are checked', ['good', verify], ['good', demand], true],
  ['the client is of another CA', ['stranger', {}], ['good', demand], false],
  ['legacy: the client has another address', ['elsewhere', {}], ['good', demand], false],
  ['openssl: a client may have any name', ['elsewhere', {}], ['good', { ...demand, ...verify }], true],
  ['plain text to TLS', undefined, ['good', {}], false],
  ['plain text to TLS with downgrade', undefined, ['good', downgrade], true],
  ['TLS to TLS with downgrade', ['good', downgrade], ['good', downgrade], true],
  ['TLS to plain text', ['good', {}], undefined, false],
  ['TLS with downgrade to plain text', ['good', downgrade], undefined, true],
  [
    'no common version',
    ['good', { LIBPROCESS_SSL_ENABLE_TLS_V1_2: 'false' }],
    ['good', { LIBPROCESS_SSL_ENABLE_TLS_V1_3: '0' }],
    false,
  ],
];

for (const [what, from, to, heard] of meetings) {
  test(`PEERS-4: messages: ${what}`, { skip }, async () => {
    const speaker = await party(from && configOf(...from));
    const listener = await party(to && configOf(...to));
    assert.equal(await reaches(speaker, listener), heard);
    if (!heard) await until('the loss, once', () => speaker.lost.length === 1);
  });
}

const ask = (host: Host, request: typeof httpRequest, options: object): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: host.bound.port, path: '/state', agent: false, ...options });
    asked.on('response', (response) => {
      response.setEncoding('utf8').once('data', resolve);
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });

test('HTTPS is served on the same port, and plain text is refused', { skip }, async () => {
  const { host, notes } = await party(configOf('good'));
  const ca = readFileSync(at('ca.pem'));
  assert.equal(await ask(host, httpsRequest, { ca }), 'asked /state');
  await assert.rejects(ask(host, httpRequest, {}));
  await until('a note', () => notes.some(({ kind }) => kind === 'tlsRefused'));
  const demanding = await party(configOf('good', demand));
  await assert.rejects(ask(demanding.host, httpsRequest, { ca }));
  const own = { key: readFileSync(at('good.key')), cert: readFileSync(at('good.pem')) };
  assert.equal(await ask(demanding.host, httpsRequest, { ca, ...own }), 'asked /state');
  const lenient = await party(configOf('good', downgrade));
  assert.equal(await ask(lenient.host, httpRequest, {}), 'asked /state');
});

test('TLS-1: connections that never complete their handshake are limited, and other clients are answered', {
  skip,
}, async () => {
  for (const settings of [{}, downgrade]) {
    const { host, notes } = await party(configOf('good', settings), { maxConnections: 100, maxSilent: 3 });
    const sockets = [1, 2, 3, 4, 5].map(() => connect(host.bound.port, '127.0.0.1'));
    const closed = sockets.map((socket) => {
      socket.on('error', () => {});
      return new Promise((resolve) => socket.on('close', resolve));
    });
    await Promise.race(closed);
    await until('the notes', () => notes.some((note) => note.kind === 'tlsRefused' && /handshakes/.test(note.reason)));
    assert.equal(await ask(host, httpsRequest, { ca: readFileSync(at('ca.pem')) }), 'asked /state');
    for (const socket of sockets) socket.destroy();
  }
});

test('with downgrade a client that ends its side before its first byte is disconnected', { skip }, async () => {
  const { host } = await party(configOf('good', downgrade));
  const client = connect({ port: host.bound.port, host: host.bound.ip, allowHalfOpen: true });
  opened.push(() => client.destroy());
  client.resume();
  client.end();
  await until('the connection has closed', () => client.closed, 10_000);
});

test('close ends a connection during its handshake', { skip }, async () => {
  const { host } = await party(configOf('good'));
  const socket = connect(host.bound.port, '127.0.0.1');
  await new Promise((resolve) => socket.on('connect', resolve));
  const ended = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  await host.close();
  await ended;
});

test('a wrong setting is an error that names it; disabled settings have no effect', { skip }, () => {
  const good = { LIBPROCESS_SSL_ENABLED: '1', LIBPROCESS_SSL_KEY_FILE: at('good.key'), SSL_CERT_FILE: at('good.pem') };
  const wrong: readonly (readonly [Readonly<Record<string, string>>, string, string])[] = [
    [{ LIBPROCESS_SSL_ENABLED: 'true' }, 'missing', 'ssl_key_file'],
    [{ ...good, SSL_CERT_FILE: at('nowhere') }, 'unreadable', 'ssl_cert_file'],
    [{ ...good, LIBPROCESS_SSL_CERT_FILE: at('elsewhere.pem') }, 'unusable', 'ssl_cert_file'],
    [{ ...good, LIBPROCESS_SSL_CA_DIR: at('nowhere') }, 'unreadable', 'ssl_ca_dir'],
    [{ ...good, LIBPROCESS_SSL_CIPHERS: 'no such cipher' }, 'unusable', 'ssl_cert_file'],
    [{ ...good, LIBPROCESS_SSL_ENABLE_SSL_V3: 'true' }, 'badValue', 'ssl_enable_ssl_v3'],
    [{ ...good, LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: 'x' }, 'badValue', 'ssl_hostname_validation_scheme'],
  ];
  for (const [env, code, setting] of wrong) {
    const made = tlsSettingsOf(nothing, env);
    assert.ok(!made.ok, JSON.stringify(env));
    assert.deepEqual([made.error.code, made.error.setting], [code, setting]);
  }
  assert.equal(tlsSettingsOf(nothing, { LIBPROCESS_SSL_ENABLED: 'yes' }).ok, false);
  assert.deepEqual(tlsSettingsOf(nothing, {}), { ok: true, value: { config: undefined, warnings: [] } });
  const disabled = tlsSettingsOf(nothing, { LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: 'true' });
  assert.match(disabled.ok ? disabled.value.warnings.join() : '', /ssl_enabled is off/);
  const publicly = tlsSettingsOf(nothing, { ...good, LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: 'true' });
  assert.match(publicly.ok ? publicly.value.warnings.join() : '', /any public CA/);
  const made = tlsSettingsOf(nothing, { ...good, SSL_VERIFY_CERT: 'true', LIBPROCESS_SSL_VERIFY_SERVER_CERT: 'false' });
  assert.ok(made.ok && made.value.config?.verifyServerCert === true);
  const argv = ['--ssl_enabled=false'];
  const parsed = parseFlags(tlsFlags, { argv, env: {}, prefix: 'MESOS_', readFile: (path) => path });
  assert.ok(parsed.ok && parsed.value.shown.size === 1);
  const off = tlsSettingsOf(parsed.value.values, good);
  assert.ok(off.ok && off.value.config === undefined);
});
