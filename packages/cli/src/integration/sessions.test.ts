// Sessions in containers and attaching to them, with real daemons and real processes, in the bytes of Mesos' own command line
// (src/python/cli_new of Apache Mesos: `task exec -it`, `task attach`).
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { until } from '@meseta/platform/testing/until';
import {
  type AgentCall,
  type CommandInfo,
  type ContainerID,
  type ContainerInfo,
  commandTask,
  connectScheduler,
  launch,
  type Scheduler,
} from '@meseta/sdk';
import { callAgent, type Media, openInput, openOutput } from './testing/agent-streams.js';
import { createTestCluster, type TestCluster } from './testing.js';

let cluster: TestCluster;
let scheduler: Scheduler;
/** The container of a task without a terminal, and of one with a terminal. */
let plain: ContainerID;
let terminal: ContainerID;

const tty: ContainerInfo = { type: 'MESOS', tty_info: { window_size: { rows: 20, columns: 60 } } };
const TTY_COMMAND = `trap 'stty size' WINCH; echo ready; while :; do read -r line && echo "got $line"; done`;

before(async () => {
  cluster = await createTestCluster({ agentFlags: ['--http_heartbeat_interval=200ms'] });
  await cluster.startMaster();
  await cluster.startAgent();
  scheduler = connectScheduler({
    master: cluster.master,
    framework: { name: 'sessions', user: 'root', checkpoint: true },
  });
  const running = await runTasks();
  plain = running.get('plain') as ContainerID;
  terminal = running.get('terminal') as ContainerID;
});
after(async () => {
  await scheduler.teardown();
  await cluster.stop();
});

async function runTasks(): Promise<ReadonlyMap<string, ContainerID>> {
  const running = new Map<string, ContainerID>();
  for await (const event of scheduler) {
    const [offer] = event.offers?.offers ?? [];
    if (offer !== undefined) {
      const resources = { cpus: 0.1, mem: 32 };
      const tasks = [
        commandTask(offer, { id: 'plain', command: 'echo started; sleep 600', resources }),
        { ...commandTask(offer, { id: 'terminal', command: TTY_COMMAND, resources }), container: tty },
      ];
      const accept = { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 3600 } };
      await scheduler.call('ACCEPT', { accept });
    }
    const status = event.update?.status;
    const id = status?.container_status?.container_id;
    assert.ok(status?.state !== 'TASK_FAILED', status?.message);
    if (status?.state === 'TASK_RUNNING' && id !== undefined) running.set(status.task_id.value, id);
    if (running.size === 2) break;
  }
  // In the background, so that updates are acknowledged.
  void (async () => {
    for await (const _ of scheduler);
  })();
  return running;
}

let sessions = 0;
const newId = (parent = plain): ContainerID => ({ value: `session-${sessions++}`, parent });

const sessionOf = (container_id: ContainerID, command: CommandInfo, container?: ContainerInfo): AgentCall => ({
  type: 'LAUNCH_NESTED_CONTAINER_SESSION',
  launch_nested_container_session: { container_id, command, ...(container && { container }) },
});
const attachTo = (container_id: ContainerID): AgentCall => ({
  type: 'ATTACH_CONTAINER_OUTPUT',
  attach_container_output: { container_id },
});
const waitFor = async (container_id: ContainerID): Promise<unknown> => {
  const { status, text } = await callAgent(cluster.agent, { type: 'WAIT_CONTAINER', wait_container: { container_id } });
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { wait_container: { exit_status?: number } }).wait_container.exit_status;
};

for (const media of ['application/json', 'application/x-protobuf'] as const) {
  test(`task exec -i: output, input and its end, heartbeats and the exit status, in ${media}`, async () => {
    const id = newId();
    const argv = ['sh', '-c', 'cat; echo oops >&2; exit 3'];
    const session = await openOutput(
      cluster.agent,
      sessionOf(id, { shell: false, value: 'sh', arguments: argv }),
      media,
    );
    assert.deepEqual(
      [session.status, session.headers['content-type'], session.headers['message-content-type']],
      [200, 'application/recordio', media],
    );
    // The client first tries whether it can attach.
    const trial = openInput(cluster.agent, id, media);
    trial.end();
    assert.deepEqual(await trial.answer, { status: 200, text: '' });
    const input = openInput(cluster.agent, id, media);
    input.write({ type: 'CONTROL', control: { type: 'HEARTBEAT', heartbeat: { interval: { nanoseconds: 3e10 } } } });
    input.writeText('hello ');
    input.writeText('there\n');
    await until('the echo', () => session.output('STDOUT') === 'hello there\n');
    input.write({ type: 'DATA', data: { type: 'STDIN', data: '' } });
    input.end();
    await session.ended;
    assert.equal((await input.answer).status, 200);
    assert.equal(session.output('STDERR'), 'oops\n');
    assert.equal(await waitFor(id), 3 << 8);
  });
}

test('task exec -it: a terminal with the window of the client, which may change, and its input', async () => {
  const id = newId();
  const container: ContainerInfo = { type: 'MESOS', tty_info: {} };
  const argv = ['sh', '-c', TTY_COMMAND];
  const session = await openOutput(
    cluster.agent,
    sessionOf(id, { shell: false, value: 'sh', arguments: argv }, container),
  );
  assert.equal(session.status, 200);
  await until('the start', () => session.output('STDOUT').includes('ready'));
  const input = openInput(cluster.agent, id);
  const resize = (rows: number, columns: number): void =>
    input.write({ type: 'CONTROL', control: { type: 'TTY_INFO', tty_info: { window_size: { rows, columns } } } });
  resize(0, 0);
  resize(33, 44);
  await until('the size', () => session.output('STDOUT').includes('33 44\r\n'));
  input.writeText('line\n');
  await until('the line', () => session.output('STDOUT').includes('got line\r\n'));
  // Ctrl-C.
  input.writeText('\x03');
  await session.ended;
  assert.equal((await input.answer).status, 200);
  assert.equal(await waitFor(id), 2);
});

test('ATTACHMENTS-1, task attach: a task with a terminal, whose session goes on when its clients leave', async () => {
  const first = await openOutput(cluster.agent, attachTo(terminal));
  const second = await openOutput(cluster.agent, attachTo(terminal), 'application/x-protobuf');
  assert.deepEqual([first.status, second.status], [200, 200]);
  const input = openInput(cluster.agent, terminal);
  input.writeText('one\n');
  const both = [first, second] as const;
  await until('both outputs', () => both.every((it) => it.output('STDOUT').includes('got one')));
  // An attached client sees what is written from then on.
  assert.ok(both.every((it) => !it.output('STDOUT').includes('ready')));
  const other = openInput(cluster.agent, terminal);
  assert.deepEqual(await other.answer, { status: 409, text: 'Multiple input connections are not allowed' });
  input.end();
  assert.equal((await input.answer).status, 200);
  first.close();
  const again = openInput(cluster.agent, terminal);
  again.writeText('two\n');
  await until('the output', () => second.output('STDOUT').includes('got two'));
  again.close();
  second.close();
  // The connection of the client that was cut may be noticed a moment later.
  await until('the input to be free', async () => {
    const next = openInput(cluster.agent, terminal);
    next.end();
    return (await next.answer).status === 200;
  });
});

test('a session ends with its connection, and its processes with it', async () => {
  const id = newId();
  const marker = `${cluster.directory}/pid`;
  const session = await openOutput(cluster.agent, sessionOf(id, { value: `echo $$ >${marker}; sleep 600` }));
  await until('its start', () => existsSync(marker) && readFileSync(marker, 'utf8') !== '');
  session.close();
  assert.equal(await waitFor(id), 9);
});

test('CONTAINER-INPUT-1: a container that does not read holds up its client only', async () => {
  const id = newId();
  const session = await openOutput(cluster.agent, sessionOf(id, { value: 'sleep 600' }));
  const input = openInput(cluster.agent, id);
  for (let part = 0; part < 40; part++) input.writeText('x'.repeat(500_000));
  const other = newId();
  const quick = await openOutput(cluster.agent, sessionOf(other, { value: 'cat' }));
  const quickInput = openInput(cluster.agent, other);
  quickInput.writeText('quick');
  await until('the other session', () => quick.output('STDOUT') === 'quick');
  quick.close();
  session.close();
  assert.equal((await input.answer).status, 200);
});

test('a session that closes its input refuses more, and goes on', async () => {
  const id = newId();
  const session = await openOutput(cluster.agent, sessionOf(id, { value: 'exec <&-; echo closed; sleep 600' }));
  await until('its start', () => session.output('STDOUT').includes('closed'));
  const input = openInput(cluster.agent, id);
  input.writeText('x');
  assert.deepEqual(await input.answer, { status: 500, text: 'Failed writing to stdin: it is closed' });
  session.close();
});

test('what a session has written without a reader is not lost, and a session that writes much is not blocked by it', async () => {
  const id = newId();
  const session = await openOutput(cluster.agent, sessionOf(id, { value: 'seq 1 300000' }));
  await session.ended;
  const lines = session.output('STDOUT').split('\n');
  assert.deepEqual([lines.length, lines[299_999]], [300_001, '300000']);
});

test('sessions start in the sandbox of their parent, with its environment', async () => {
  const session = await openOutput(
    cluster.agent,
    sessionOf(newId(), { value: '[ "$PWD" = "$MESOS_SANDBOX" ] && cat stdout && echo $MESOS_EXECUTOR_ID' }),
  );
  await session.ended;
  assert.equal(session.output('STDOUT'), 'started\nplain\n');
});

type Refused = readonly [
  name: string,
  answer: () => Promise<{ readonly status: number; readonly text: string }>,
  status: number,
];

const unknown: ContainerID = { value: 'nobody' };
const inputOf = async (
  container_id: ContainerID | undefined,
  act: (input: ReturnType<typeof openInput>) => void,
  headers: Readonly<Record<string, string>> = {},
  media: Media = 'application/json',
) => {
  const input = openInput(cluster.agent, container_id, media, headers);
  act(input);
  return input.answer;
};
const end = (input: ReturnType<typeof openInput>): void => input.end();

test('attaching is refused as Mesos refuses it', async () => {
  const cases: readonly Refused[] = [
    ['the output of an unknown container', () => openOutput(cluster.agent, attachTo(unknown)), 404],
    ['the input of an unknown container', () => inputOf(unknown, end), 404],
    ['in a known one', () => openOutput(cluster.agent, attachTo({ value: 'x', parent: plain })), 500],
    ['the output of one without a terminal', () => openOutput(cluster.agent, attachTo(plain)), 500],
    ['the input of one without a terminal', () => inputOf(plain, end), 500],
    ['an id that is none', () => inputOf({ value: 'a/b' }, end), 400],
    ['no record', () => inputOf(undefined, end), 400],
    ['a call of another type', () => inputOf(undefined, (it) => it.writeRecord({ type: 'GET_HEALTH' })), 415],
    [
      'no container first',
      () => inputOf(undefined, (it) => it.write({ type: 'DATA', data: { type: 'STDIN', data: '' } })),
      400,
    ],
    ['no type of records', () => inputOf(terminal, end, { 'Message-Content-Type': '' }), 415],
    ['another type of records', () => inputOf(terminal, end, { 'Message-Content-Type': 'text/plain' }), 415],
    ['gzip', () => inputOf(terminal, end, { 'Content-Encoding': 'gzip' }), 415],
    ['no acceptable response', () => inputOf(terminal, end, { Accept: 'text/html' }), 406],
    ['a stream as response', () => inputOf(terminal, end, { Accept: 'application/recordio' }), 406],
    ['input in a plain request', () => callAgent(cluster.agent, inputCall(terminal)), 415],
    [
      'a header for streams in a plain request',
      () => callAgent(cluster.agent, { type: 'GET_HEALTH' }, { 'Message-Content-Type': 'application/json' }),
      415,
    ],
    [
      'a header for streams of a plain response',
      () => callAgent(cluster.agent, { type: 'GET_HEALTH' }, { 'Message-Accept': 'application/json' }),
      406,
    ],
    [
      'a stream as response to another call',
      () => callAgent(cluster.agent, { type: 'GET_HEALTH' }, { Accept: 'application/recordio' }),
      406,
    ],
    [
      'an unacceptable type of records',
      () => openOutput(cluster.agent, attachTo(terminal), 'application/json', { 'Message-Accept': 'text/plain' }),
      406,
    ],
    [
      'output as input',
      () => inputOf(terminal, (it) => it.write({ type: 'DATA', data: { type: 'STDOUT', data: '' } })),
      400,
    ],
    ['no data', () => inputOf(terminal, (it) => it.write({ type: 'DATA', data: { type: 'STDIN' } })), 400],
    ['no window', () => inputOf(terminal, (it) => it.write({ type: 'CONTROL', control: { type: 'TTY_INFO' } })), 400],
    [
      'no heartbeat',
      () => inputOf(terminal, (it) => it.write({ type: 'CONTROL', control: { type: 'HEARTBEAT' } })),
      400,
    ],
    ['a window that is too large', () => inputOf(terminal, (it) => it.write(windowOf(65_536, 1))), 400],
    ['the container again', () => inputOf(terminal, (it) => it.writeRecord(inputCall(terminal))), 400],
    ['a record that is too large', () => inputOf(terminal, (it) => it.writeText('x'.repeat(2 ** 20))), 400],
  ];
  for (const [name, ask, status] of cases) {
    const answer = await ask();
    assert.equal(answer.status, status, `${name}: ${answer.text}`);
    assert.notEqual(answer.text, '', name);
  }
  const disabled = await openOutput(cluster.agent, attachTo(plain));
  assert.equal(disabled.text, 'I/O switchboard server was disabled for this container');
});

const inputCall = (container_id: ContainerID): AgentCall => ({
  type: 'ATTACH_CONTAINER_INPUT',
  attach_container_input: { type: 'CONTAINER_ID', container_id },
});
const windowOf = (rows: number, columns: number) =>
  ({ type: 'CONTROL', control: { type: 'TTY_INFO', tty_info: { window_size: { rows, columns } } } }) as const;

test('CONTAINER-INPUT-2: a window for a container without a terminal is refused, and its session goes on', async () => {
  const id = newId();
  const session = await openOutput(cluster.agent, sessionOf(id, { value: 'cat' }));
  const refused = await inputOf(id, (it) => it.write(windowOf(1, 1)));
  assert.equal(refused.status, 400);
  assert.match(refused.text, /Unable to set the window size/);
  const input = openInput(cluster.agent, id);
  input.writeText('still here');
  await until('the echo', () => session.output('STDOUT') === 'still here');
  session.close();
});

test('a session with the id of a running container is refused with 202, one without a parent or with an unknown one with 400', async () => {
  const id = newId();
  const session = await openOutput(cluster.agent, sessionOf(id, { value: 'sleep 600' }));
  assert.equal((await openOutput(cluster.agent, sessionOf(id, { value: 'true' }))).status, 202);
  assert.equal((await openOutput(cluster.agent, sessionOf({ value: 'x' }, { value: 'true' }))).status, 400);
  assert.equal((await openOutput(cluster.agent, sessionOf(newId(unknown), { value: 'true' }))).status, 400);
  session.close();
});

test('the terminal of a task survives the agent, and a session does not', async () => {
  const id = newId();
  const marker = `${cluster.directory}/survivor`;
  const session = await openOutput(cluster.agent, sessionOf(id, { value: `echo $$ >${marker}; sleep 600` }));
  await until('its start', () => existsSync(marker) && readFileSync(marker, 'utf8') !== '');
  await cluster.kill('agent');
  await session.ended;
  await cluster.startAgent();
  assert.equal(await waitFor(id), 9);
  let output = await openOutput(cluster.agent, attachTo(terminal));
  await until('the agent to know its task', async () => {
    output = await openOutput(cluster.agent, attachTo(terminal));
    return output.status === 200;
  });
  const input = openInput(cluster.agent, terminal);
  input.writeText('after\n');
  await until('the output', () => output.output('STDOUT').includes('got after'));
  input.end();
  assert.equal((await input.answer).status, 200);
  output.close();
});
