import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Pid } from '@meseta/base';
import { createHost, type Host } from '@meseta/platform';
import { until } from '@meseta/platform/testing/until';
import { makeToken } from '@meseta/security';
import { createCramMd5Server } from '@meseta/security/cram-md5';
import type { FrameworkInfo, LibprocessMessage } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { startTestAgent } from './testing.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-agent-security-'));
const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(directory, { recursive: true, force: true });
});

const put = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

interface ScriptedMaster {
  readonly host: Host;
  /** The names of the received messages, in order. */
  readonly received: string[];
  send(message: LibprocessMessage): void;
}

/** A master that registers agents after they have authenticated as `agent`. */
async function startMaster(): Promise<ScriptedMaster> {
  const received: string[] = [];
  let authenticated = false;
  let agent: Pid | undefined;
  const session = createCramMd5Server(new Map([['agent', 'right']]), '<1@master>');
  const host = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onRequest: (_, response) => response.end(),
    onPeerLost: () => {},
    onMessage({ to, from, wireName, body }) {
      const message = decodeMessage(wireName, body);
      assert.ok(message.ok);
      const { name } = message.value;
      received.push(name);
      if (name === 'AuthenticateMessage') say(from, 'session(1)', session.begin());
      if (to === 'session(1)') {
        const { replies, end } = session.receive(message.value);
        authenticated ||= end?.kind === 'authenticated';
        for (const reply of replies) say(from, 'session(1)', reply);
      }
      if (name === 'RegisterAgentMessage' && authenticated) {
        agent = from;
        say(from, 'master', { name: 'AgentRegisteredMessage', body: { agent_id: { value: 'm-S0' } } });
      }
      return 'accepted';
    },
  });
  assert.ok(host.ok);
  closing.push(host.value.close);
  const say = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.value.send(to, from, wireName, bytes);
  };
  return { host: host.value, received, send: (message) => say(agent as Pid, 'master', message) };
}

async function start(master: ScriptedMaster, name: string, argv: readonly string[]) {
  const ends: string[] = [];
  const started = await startTestAgent({
    argv: [
      `--master=${master.host.address}`,
      '--port=0',
      `--work_dir=${directory}/${name}/work`,
      '--launcher=posix',
      ...argv,
    ],
    directory: `${directory}/${name}`,
    level: 'silent',
    onExit: (status, message) => void ends.push(`${status} ${message}`),
  });
  closing.push(started.stop);
  return { url: `http://${started.address}`, ends };
}

test('an agent authenticates before it registers, and ends when its authentication is refused', async () => {
  const master = await startMaster();
  await start(master, 'right', [`--credential=${put('right.json', '{"principal":"agent","secret":"right"}')}`]);
  await until('a registration', () => master.received.includes('RegisterAgentMessage'));
  assert.deepEqual(master.received.slice(0, 4), [
    'AuthenticateMessage',
    'AuthenticationStartMessage',
    'AuthenticationStepMessage',
    'RegisterAgentMessage',
  ]);
  const other = await startMaster();
  const { ends } = await start(other, 'wrong', [`--credential=${put('wrong.txt', 'agent wrong')}`]);
  await until('the end', () => ends.length > 0);
  assert.match(ends.join(), /^1 .*refused/);
  assert.ok(!other.received.includes('RegisterAgentMessage'));
});

const framework: FrameworkInfo = { user: 'root', name: 'f', id: { value: 'f-1' } };

const sparingAcls = {
  permissive: false,
  run_tasks: [{ principals: { type: 'ANY' }, users: { type: 'ANY' } }],
  get_endpoints: [
    { principals: { values: ['alice'] }, paths: { values: ['/monitor/statistics', '/files/debug'] } },
    { principals: { values: ['bob'] }, paths: { values: ['/files/debug'] } },
  ],
  view_frameworks: [{ principals: { values: ['alice', 'bob'] }, users: { type: 'ANY' } }],
  view_executors: [{ principals: { values: ['alice'] }, users: { type: 'ANY' } }],
  access_sandboxes: [{ principals: { values: ['alice'] }, users: { type: 'ANY' } }],
};

test('endpoints show a principal only the objects that the ACLs allow', async () => {
  const master = await startMaster();
  const { url } = await start(master, 'guarded', [
    `--credential=${put('own', 'agent right')}`,
    '--authenticate_http_readonly',
    '--authenticate_http_readwrite',
    '--http_authenticators=basic,jwt',
    `--http_credentials=${put('http', 'alice a\nbob b\n')}`,
    `--jwt_secret_key=${put('key', 'a key')}`,
    `--acls=${JSON.stringify(sparingAcls)}`,
    '--no-switch_user',
  ]);
  await until('a registration', () => master.received.includes('UpdateAgentMessage'));
  master.send({
    name: 'RunTaskMessage',
    body: {
      framework_id: { value: 'f-1' },
      framework,
      pid: '',
      task: {
        name: 't',
        task_id: { value: 't' },
        agent_id: { value: 'm-S0' },
        resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: '*' } }],
        command: { value: 'sleep 3' },
      },
    },
  });
  await until('the task', () => master.received.includes('StatusUpdateMessage'));
  const headersOf = (who: string): Record<string, string> =>
    who === '' ? {} : { Authorization: who.length > 9 ? `Bearer ${who}` : `Basic ${btoa(`${who}:${who[0]}`)}` };
  const get = (path: string, who: string) => fetch(url + path, { headers: headersOf(who) });
  const status = async (path: string, who: string): Promise<number> => (await get(path, who)).status;
  type State = { frameworks: { executors: { directory: string }[] }[]; flags?: object };
  const state = async (who: string) => (await (await get('/state', who)).json()) as State;

  const challenged = await get('/state', '');
  assert.equal(
    challenged.headers.get('www-authenticate'),
    'Basic realm="mesos-agent-readonly",Bearer realm="mesos-agent-readonly"',
  );
  const [alices, bobs] = [await state('alice'), await state('bob')];
  const executors = (seen: State): number => seen.frameworks.flatMap((it) => it.executors).length;
  assert.deepEqual([alices.frameworks.length, executors(alices), alices.flags], [1, 1, undefined]);
  assert.deepEqual([bobs.frameworks.length, executors(bobs)], [1, 0]);
  // A token without a principal allows only calls for its own containers.
  const token = makeToken({ cid: 'c' }, Buffer.from('a key'));
  assert.equal((await state(token)).frameworks.length, 0);
  assert.equal(await status('/state', makeToken({ cid: 'c' }, Buffer.from('another key'))), 401);

  // alice may view no container, bob may access no sandbox.
  const read = async (path: string, who: string): Promise<unknown> => (await get(path, who)).json();
  assert.deepEqual(await read('/monitor/statistics', 'alice'), []);
  const debug = [await read('/files/debug', 'alice'), await read('/files/debug', 'bob')];
  assert.deepEqual(
    debug.map((files) => Object.keys(files as object).length > 0),
    [true, false],
  );

  const path = `?path=${encodeURIComponent(alices.frameworks[0]?.executors[0]?.directory ?? '')}`;
  const table = [
    ['/flags', 403, 403],
    ['/monitor/statistics', 200, 403],
    ['/containers', 403, 403],
    [`/files/browse${path}`, 200, 403],
    ['/health', 200, 200],
  ] as const;
  for (const [endpoint, alice, bob] of table) {
    assert.deepEqual([await status(endpoint, 'alice'), await status(endpoint, 'bob')], [alice, bob], endpoint);
  }
});
