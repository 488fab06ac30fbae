import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Pid } from '@meseta/base';
import { createHost, type Host } from '@meseta/platform';
import { until } from '@meseta/platform/testing/until';
import type { FrameworkInfo, LibprocessMessage, StatusUpdate, TaskInfo } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { fetcherDirectory, type RunningAgent } from './agent-process.js';
import { startTestAgent } from './testing.js';

/** A master that registers every agent as `m-S0` and acknowledges every update. */
interface ScriptedMaster {
  readonly host: Host;
  readonly updates: StatusUpdate[];
  readonly received: LibprocessMessage[];
  agent: Pid | undefined;
  send(message: LibprocessMessage): void;
}

async function startMaster(): Promise<ScriptedMaster> {
  const host = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage({ from, wireName, body }) {
      const message = decodeMessage(wireName, body);
      assert(message.ok);
      receive(from, message.value);
      return 'accepted';
    },
    onRequest: (_request, response) => void response.writeHead(404).end(),
    onPeerLost: () => undefined,
  });
  assert(host.ok);
  const master: ScriptedMaster = {
    host: host.value,
    updates: [],
    received: [],
    agent: undefined,
    send(message) {
      const { wireName, bytes } = encodeMessage(message);
      assert(master.agent !== undefined);
      host.value.send(master.agent, 'master', wireName, bytes);
    },
  };
  const agent_id = { value: 'm-S0' };
  const receive = (from: Pid, message: LibprocessMessage): void => {
    master.agent = from;
    master.received.push(message);
    if (message.name === 'RegisterAgentMessage') master.send({ name: 'AgentRegisteredMessage', body: { agent_id } });
    if (message.name === 'ReregisterAgentMessage')
      master.send({ name: 'AgentReregisteredMessage', body: { agent_id } });
    if (message.name !== 'StatusUpdateMessage') return;
    const { update } = message.body;
    master.updates.push(update);
    master.send({
      name: 'StatusUpdateAcknowledgementMessage',
      body: { agent_id, framework_id: update.framework_id, task_id: update.status.task_id, uuid: update.uuid ?? '' },
    });
  };
  return master;
}

const framework: FrameworkInfo = { user: 'root', name: 'f', id: { value: 'f-1' }, checkpoint: true };

const taskOf = (id: string, value: string): TaskInfo => ({
  name: id,
  task_id: { value: id },
  agent_id: { value: 'm-S0' },
  resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: '*' } }],
  command: { value },
});

const directory = await mkdtemp(join(tmpdir(), 'agent-'));
const master = await startMaster();
let running: RunningAgent | undefined;
let port = '0';
let workDir = join(directory, 'work');

after(async () => {
  await running?.stop();
  await master.host.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<RunningAgent> {
  running = await startTestAgent({
    argv: [
      `--master=${master.host.address}`,
      // The port is part of what an agent is: the second one takes the first one's.
      `--port=${port}`,
      `--work_dir=${workDir}`,
      '--no-switch_user',
    ],
    directory,
    level: 'error',
    onExit: (_status, message) => assert.fail(message),
  });
  port = running.address.replace(/.*:/, '');
  return running;
}

const statesOf = (task: string): readonly string[] =>
  master.updates.filter(({ status }) => status.task_id.value === task).map(({ status }) => status.state);

/**
 * Resolves when the agent has handled all that was sent to it: its pong answers a ping that was sent after that. An update
 * whose acknowledgement it has not handled is sent again after its restart.
 */
async function untilHandled(): Promise<void> {
  const pongs = (): number => master.received.filter(({ name }) => name === 'PongAgentMessage').length;
  const before = pongs();
  master.send({ name: 'PingAgentMessage', body: { connected: true } });
  await until('the pong', () => pongs() > before);
}

test('a command runs, and the endpoints show its end, its output and its task', async () => {
  const agent = await start();
  await until('the registration', () => master.received.some(({ name }) => name === 'UpdateAgentMessage'));
  master.send({ name: 'RunTaskMessage', body: { framework, task: taskOf('t', 'echo out; exit 3') } });
  await until('the end of the task', () => statesOf('t').at(-1) === 'TASK_FAILED');
  assert.deepEqual(statesOf('t'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED']);
  assert.equal(master.updates.at(-1)?.status.message, 'Command exited with status 3');

  const get = async (path: string) => {
    const answer = await fetch(`http://${agent.address}${path}`);
    return { status: answer.status, body: await answer.text() };
  };
  const state = JSON.parse((await get('/slave(1)/state')).body);
  assert.equal(state.id, 'm-S0');
  const [executor] = [...state.frameworks, ...state.completed_frameworks][0].completed_executors;
  const read = await get(`/files/read?path=${encodeURIComponent(`${executor.directory}/stdout`)}&offset=0`);
  assert.deepEqual(JSON.parse(read.body), { data: 'out\n', offset: 0 });
  assert.equal((await get('/files/read?path=/etc/passwd&offset=0')).status, 404);
  const call = await fetch(`http://${agent.address}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"type":"GET_TASKS"}',
  });
  const tasks = ((await call.json()) as { get_tasks: { completed_tasks: { state: string }[] } }).get_tasks;
  assert.equal(tasks.completed_tasks[0]?.state, 'TASK_FAILED');
});

test('a restarted agent recovers the task that runs, and the exact status of the one that ended meanwhile', async () => {
  for (const [id, command] of [
    ['lives', 'sleep 600'],
    ['ends', `while [ ! -e ${directory}/go ]; do sleep 0.05; done; exit 7`],
  ] as const) {
    master.send({ name: 'RunTaskMessage', body: { framework, task: taskOf(id, command) } });
    await until(`${id} to run`, () => statesOf(id).at(-1) === 'TASK_RUNNING');
  }
  await untilHandled();
  await running?.stop();
  await writeFile(join(directory, 'go'), '');
  const runtimeDir = join(directory, 'run', 'containers');
  await until('the status of the task on disk', async () => {
    const records = (await readdir(runtimeDir)).filter((name) => name.endsWith('.record'));
    const texts = await Promise.all(records.map((name) => readFile(join(runtimeDir, name), 'utf8')));
    return texts.some((text) => /^exited 7\n/m.test(text));
  });
  const agent = await start();
  await until('the end of the task', () => statesOf('ends').at(-1) === 'TASK_FAILED');
  assert.equal(master.updates.at(-1)?.status.message, 'Command exited with status 7');
  assert.equal(statesOf('lives').at(-1), 'TASK_RUNNING');
  master.send({ name: 'KillTaskMessage', body: { framework_id: { value: 'f-1' }, task_id: { value: 'lives' } } });
  await until('the end of the other', () => statesOf('lives').at(-1) === 'TASK_KILLED');
  assert.deepEqual(statesOf('lives'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLED']);
  assert.equal((await fetch(`http://${agent.address}/health`)).status, 200);
});

test('an agent recovers its running task from a work_dir that was moved while no agent ran', async () => {
  const command = 'echo before; while [ ! -e go ]; do sleep 0.1; done; echo after; exit 5';
  master.send({ name: 'RunTaskMessage', body: { framework, task: taskOf('moved', command) } });
  await until('the task to run', () => statesOf('moved').at(-1) === 'TASK_RUNNING');
  await untilHandled();
  await running?.stop();
  const before = workDir;
  workDir = join(directory, 'elsewhere');
  await rename(before, workDir);
  const agent = await start();
  const get = async (path: string) => (await fetch(`http://${agent.address}${path}`)).json();
  const state = (await get('/slave(1)/state')) as {
    readonly id: string;
    readonly frameworks: readonly {
      readonly executors: readonly { readonly id: string; readonly directory: string }[];
    }[];
  };
  assert.equal(state.id, 'm-S0');
  const sandbox = state.frameworks[0]?.executors.find(({ id }) => id === 'moved')?.directory ?? '';
  assert.ok(sandbox.startsWith(`${workDir}/`), sandbox);
  // The task's own directory is the moved one: it goes on there.
  await writeFile(join(sandbox, 'go'), '');
  await until('the end of the task', () => statesOf('moved').at(-1) === 'TASK_FAILED');
  assert.deepEqual(statesOf('moved'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED']);
  assert.equal(master.updates.at(-1)?.status.message, 'Command exited with status 5');
  const read = await get(`/files/read?path=${encodeURIComponent(`${sandbox}/stdout`)}&offset=0`);
  assert.deepEqual(read, { data: 'before\nafter\n', offset: 0 });
  // A further restart recovers from the new place too, and does not make the former one again.
  await running?.stop();
  await start();
  await assert.rejects(stat(before), /ENOENT/);
});

test('each agent of a machine has a fetcher directory of its own, the same after a restart', () => {
  const of = (work_dir: string) => fetcherDirectory({ fetcher_cache_dir: '/cache', work_dir });
  assert.notEqual(of('/a'), of('/b'));
  assert.equal(of('/a/'), of('/a'));
  assert(of('/a').startsWith('/cache/'));
});
