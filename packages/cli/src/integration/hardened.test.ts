// A cluster with the configuration of examples/hardened: a task runs, and clients without a certificate or secret get nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { until } from '@meseta/platform/testing/until';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import { recordReader } from '@meseta/wire/recordio';
import { type DaemonKind, type DaemonProcess, startDaemonProcess } from '../daemon-process.js';
import { freePort } from '../testing/daemons.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-hardened-'));
const at = (name: string): string => join(directory, name);
const example = (name: string): string => readFileSync(join(process.cwd(), 'examples/hardened', name), 'utf8');
const running = new Map<DaemonKind, DaemonProcess>();
/** Tasks of the example run as nobody, which only root can make them do. */
const user = userInfo().uid === 0 ? 'nobody' : userInfo().username;
let masterPort = 0;
let agentPort = 0;

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore', cwd: directory });
}

/** Two CAs: the cluster's, and a stranger's own. */
function makeCertificates(): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const ca of ['ca', 'other']) {
    openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.pem`);
  }
  for (const [name, ca] of [
    ['master', 'ca'],
    ['agent', 'ca'],
    ['client', 'ca'],
    ['stranger', 'other'],
  ] as const) {
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    writeFileSync(at('extensions'), 'subjectAltName=IP:127.0.0.1');
    const sign = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'extensions'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...sign, '-out', `${name}.pem`);
  }
}

const secretOf = (principal: string): string => `the secret of ${principal}`;

function writeFiles(): void {
  const credentials = (...principals: string[]): string =>
    JSON.stringify({ credentials: principals.map((principal) => ({ principal, secret: secretOf(principal) })) });
  const secrets = { mode: 0o600 };
  writeFileSync(at('credentials.json'), credentials('agents', 'services', 'operators'), secrets);
  writeFileSync(at('agent-http-credentials.json'), credentials('operators'), secrets);
  writeFileSync(
    at('agent-credential.json'),
    JSON.stringify({ principal: 'agents', secret: secretOf('agents') }),
    secrets,
  );
  writeFileSync(at('executor.key'), 'signs tokens of executors', secrets);
  for (const name of ['master-acls.json', 'agent-acls.json', 'master-firewall.json', 'agent-firewall.json']) {
    writeFileSync(at(name), example(name).replaceAll('"nobody"', JSON.stringify(user)));
  }
}

/** The variables of an example's file, with the places and ports of this test in those of the example. */
function environmentOf(name: string): Record<string, string> {
  const text = example(name)
    .replaceAll('/etc/meseta', directory)
    .replaceAll(/\/var\/(?:lib|run|cache)\/meseta/g, (path) => at(path.replaceAll('/', '-')))
    .replaceAll('10.0.0.1:5050', `127.0.0.1:${masterPort}`)
    .replaceAll(/10\.0\.0\.[12]/g, '127.0.0.1')
    .replace('MESOS_PORT=5050', `MESOS_PORT=${masterPort}`)
    .replace('MESOS_PORT=5051', `MESOS_PORT=${agentPort}`);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

const logOf = (name: string): string => readFileSync(at(`${name}.log`), 'utf8');

async function start(kind: DaemonKind, ready: RegExp, flags: readonly string[]): Promise<void> {
  const environment = { PATH: process.env['PATH'], ...environmentOf(`${kind}.env`) };
  const command: [string] = [join(process.cwd(), 'bin/meseta')];
  running.set(kind, startDaemonProcess({ kind, command, flags, logFile: at(`${kind}.log`), environment }));
  await until(
    () => `the ${kind} is ready; ${logOf(kind).slice(-3000)}`,
    () => ready.test(logOf(kind)),
  );
}

interface Asked {
  readonly port?: number;
  readonly path: string;
  readonly method?: string;
  readonly principal?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Undefined: none. */
  readonly certificate?: 'client' | 'stranger' | undefined;
}

const certificateOf = (name: 'client' | 'stranger' | undefined) => ({
  ca: readFileSync(at('ca.pem')),
  ...(name && { cert: readFileSync(at(`${name}.pem`)), key: readFileSync(at(`${name}.key`)) }),
});

function ask({
  port = masterPort,
  certificate = 'client',
  principal,
  body,
  ...asked
}: Asked): Promise<IncomingMessage> {
  const authorization = principal && { Authorization: `Basic ${btoa(`${principal}:${secretOf(principal)}`)}` };
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json',
    ...asked.headers,
    ...authorization,
  };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: asked.path, method: asked.method ?? 'GET', headers, agent: false };
    const sent = tlsRequest({ ...options, ...certificateOf(certificate) }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

const statusOf = async (asked: Asked): Promise<number> => {
  const response = await ask(asked);
  response.resume();
  return response.statusCode ?? 0;
};

/** A libprocess message in the name of another. */
const messageOf = (
  from: string,
  to: string,
  message: Parameters<typeof encodeMessage>[0],
): Pick<Asked, 'path' | 'method' | 'headers' | 'body'> => {
  const { wireName, bytes } = encodeMessage(message);
  const headers = { 'Libprocess-From': from, 'User-Agent': `libprocess/${from}` };
  return { path: `/${to}/${wireName}`, method: 'POST', headers, body: bytes };
};

async function metricOf(port: number, name: string): Promise<number> {
  const text = await textOf(await ask({ port, path: '/metrics/snapshot', principal: 'operators' }));
  return (JSON.parse(text) as Record<string, number>)[name] ?? -1;
}

before(async () => {
  makeCertificates();
  writeFiles();
  mkdirSync(at('-var-cache-meseta'));
  masterPort = await freePort();
  agentPort = await freePort();
  await start('master', /master at http/, ['--allocation_interval=100ms']);
  await start('agent', /registered as agent/, ['--resources=cpus:1;mem:256', '--registration_backoff_factor=50ms']);
});

const end = async (kind: DaemonKind, signal?: NodeJS.Signals): Promise<void> =>
  running.get(kind)?.stop({ signal, timeoutMs: 15_000 });

after(async () => {
  await end('agent');
  await end('master');
  rmSync(directory, { recursive: true, force: true });
});

interface Event {
  readonly type: string;
  readonly subscribed?: { readonly framework_id: object };
  readonly offers?: { readonly offers: readonly { readonly id: object; readonly agent_id: object }[] };
  readonly update?: { readonly status: { readonly state: string; readonly message?: string } };
}

const resources = [
  { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
  { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
];

test('a framework with a certificate and a secret runs a task as the user that it may use', async () => {
  const framework_info = {
    user,
    name: 'services',
    principal: 'services',
    roles: ['services'],
    capabilities: [{ type: 'MULTI_ROLE' }],
  };
  const scheduler = { path: '/api/v1/scheduler', method: 'POST', principal: 'services' } as const;
  const body = JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info } });
  const stream = await ask({ ...scheduler, body });
  assert.equal(stream.statusCode, 200);
  const headers = { 'Mesos-Stream-Id': String(stream.headers['mesos-stream-id']) };
  const records = recordReader(2 ** 20);
  const states: string[] = [];
  let framework_id: object = {};
  for await (const chunk of stream) {
    const read = records.push(chunk as Buffer);
    assert.ok(read.ok);
    for (const record of read.value) {
      const event = JSON.parse(Buffer.from(record).toString('utf8')) as Event;
      framework_id = event.subscribed?.framework_id ?? framework_id;
      const offer = event.offers?.offers[0];
      if (offer !== undefined && states.length === 0) {
        const { id, agent_id } = offer;
        const task = { name: 't', task_id: { value: 't' }, agent_id, resources, command: { value: 'id -un' } };
        const operations = [{ type: 'LAUNCH', launch: { task_infos: [task] } }];
        const accept = { type: 'ACCEPT', framework_id, accept: { offer_ids: [id], operations } };
        assert.equal(await statusOf({ ...scheduler, headers, body: JSON.stringify(accept) }), 202);
        states.push('launched');
      }
      const status = event.update?.status;
      if (status !== undefined) states.push(`${status.state} ${status.message ?? ''}`);
    }
    if (states.length > 1) break;
  }
  assert.match(states[1] ?? '', /^TASK_(STARTING|RUNNING|FINISHED)/);
});

test('a connection without a certificate of the cluster gets no response', async () => {
  for (const port of [masterPort, agentPort]) {
    const plain = new Promise((resolve, reject) => {
      plainRequest({ host: '127.0.0.1', port, path: '/health', agent: false }, resolve).on('error', reject).end();
    });
    await assert.rejects(plain, 'plain text');
    for (const certificate of [undefined, 'stranger'] as const) {
      // With TLS 1.3 the client hears of it with the first bytes that it reads.
      const closed = new Promise<string>((resolve) => {
        const socket = connectTls({ host: '127.0.0.1', port, ...certificateOf(certificate) });
        let received = '';
        socket.on('data', (bytes) => {
          received += bytes.toString('latin1');
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(received));
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      });
      assert.equal(await closed, '', certificate ?? 'no certificate');
    }
  }
});

test('a client with a certificate but no secret can read and change nothing', async () => {
  const subscribe = JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info: { user, name: 'x' } } });
  const launch = JSON.stringify({
    type: 'LAUNCH_CONTAINER',
    launch_container: { container_id: { value: 'x' }, command: { value: 'true' } },
  });
  const table: readonly (readonly [Asked, number])[] = [
    [{ path: '/state' }, 401],
    [{ path: '/%73tate' }, 401],
    [{ path: '/api/v1', method: 'POST', body: '{"type":"GET_STATE"}' }, 401],
    [{ path: '/api/v1/scheduler', method: 'POST', body: subscribe }, 401],
    [{ path: '/state', port: agentPort }, 401],
    [{ path: '/api/v1', method: 'POST', port: agentPort, body: launch }, 401],
    [{ path: '/api/v1/executor', method: 'POST', port: agentPort, body: '{}' }, 401],
    // Who may act for a framework may not operate the cluster.
    [{ path: '/flags', principal: 'services' }, 403],
    [{ path: '/flags', principal: 'operators' }, 200],
    [{ path: '/files/debug', principal: 'operators' }, 403],
    [{ path: '/files%2fdebug', principal: 'operators', port: agentPort }, 403],
    [{ path: '/state?jsonp=f', principal: 'operators' }, 403],
    [{ path: '/logging/toggle?level=1&duration=1secs', principal: 'operators' }, 403],
  ];
  for (const [asked, status] of table) assert.equal(await statusOf(asked), status, JSON.stringify(asked));
});

test('messages with a forged sender are dropped and counted', async () => {
  const master = `master@127.0.0.1:${masterPort}`;
  const agent = `slave(1)@127.0.0.1:${agentPort}`;
  const stranger = `slave(1)@127.0.0.1:${await freePort()}`;
  const register = {
    name: 'RegisterAgentMessage',
    body: { agent: { hostname: 'x', resources: [] }, version: '1.12.0' },
  } as const;
  const shutdown = { name: 'ShutdownMessage', body: { message: 'bye' } } as const;
  const unregister = { name: 'UnregisterAgentMessage', body: { agent_id: { value: 'x' } } } as const;
  const name = 'meseta/unauthenticated_messages';
  const before = [await metricOf(masterPort, name), await metricOf(agentPort, name)];
  assert.equal(await statusOf(messageOf(stranger, 'master', register)), 202);
  assert.equal(await statusOf(messageOf(agent, 'master', unregister)), 202);
  assert.equal(await statusOf({ ...messageOf(master, 'slave(1)', shutdown), port: agentPort }), 202);
  await until('the drops to be counted', async () => {
    const now = [await metricOf(masterPort, name), await metricOf(agentPort, name)];
    return (now[0] ?? 0) - (before[0] ?? 0) === 2 && (now[1] ?? 0) - (before[1] ?? 0) === 1;
  });
  const elsewhere = messageOf('master@10.0.0.1:5050', 'slave(1)', shutdown);
  assert.equal(await statusOf({ ...elsewhere, port: agentPort }), 400);
  assert.equal(await metricOf(agentPort, 'meseta/messages_from_elsewhere'), 1);
  const text = await textOf(await ask({ path: '/slaves', principal: 'operators' }));
  const document = JSON.parse(text) as { readonly [name: string]: readonly { readonly active: boolean }[] };
  assert.deepEqual(
    document['slaves']?.map(({ active }) => active),
    [true],
  );
});

test('an agent authenticates again with a restarted master, over a new connection', async () => {
  await end('master', 'SIGKILL');
  await start('master', /master at http(?:.|\n)*master at http/, ['--allocation_interval=100ms']);
  await until('the agent to register again', () => /registered again as agent/.test(logOf('agent')));
  await until('the master to have it', async () => {
    const text = await textOf(await ask({ path: '/slaves', principal: 'operators' }));
    return (JSON.parse(text) as { readonly [name: string]: readonly object[] })['slaves']?.length === 1;
  });
  assert.ok((logOf('agent').match(/authenticated with master@/g) ?? []).length >= 2);
});
