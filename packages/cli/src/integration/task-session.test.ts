// `meseta task exec`, `attach` and `logs -f` against a real master and agent, from a real terminal (script(1)).
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pause, until } from '@meseta/platform/testing/until';
import { commandTask, connectScheduler, launch, type Scheduler } from '@meseta/sdk';
import { collectOutput } from './testing/output.js';
import { createTestCluster, type TestCluster } from './testing.js';

const meseta = join(process.cwd(), 'bin/meseta');
const withScript = { skip: spawnSync('script', ['--version']).status !== 0 && 'script(1) is not installed' };
let cluster: TestCluster;
let scheduler: Scheduler;

const TTY_COMMAND = `echo ready; while :; do read -r line && { [ "$line" = bye ] && exit 5; echo "got $line"; stty size; }; done`;

before(async () => {
  cluster = await createTestCluster();
  await cluster.startMaster();
  await cluster.startAgent();
  scheduler = connectScheduler({ master: cluster.master, framework: { name: 'x', user: 'root', checkpoint: true } });
  const running = new Set<string>();
  for await (const event of scheduler) {
    const [offer] = event.offers?.offers ?? [];
    if (offer !== undefined && running.size === 0) {
      const resources = { cpus: 0.1, mem: 32 };
      const terminal = commandTask(offer, { id: 'terminal', command: TTY_COMMAND, resources });
      const tasks = [
        commandTask(offer, { id: 'plain', command: 'echo started; sleep 600', resources }),
        commandTask(offer, { id: 'counting', command: 'for i in 1 2 3; do echo $i; sleep 1; done', resources }),
        { ...terminal, container: { type: 'MESOS' as const, tty_info: {} } },
      ];
      const accept = { offer_ids: [offer.id], operations: [launch(tasks)], filters: { refuse_seconds: 3600 } };
      await scheduler.call('ACCEPT', { accept });
    }
    if (event.update?.status.state === 'TASK_RUNNING') running.add(event.update.status.task_id.value);
    if (running.size === 3) break;
  }
  // In the background, so that updates are acknowledged.
  void (async () => {
    for await (const _ of scheduler);
  })();
});
after(async () => {
  await scheduler.teardown();
  await cluster.stop();
});

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  out(): string;
  err(): string;
  readonly ended: Promise<number | null>;
}

function startProgram(program: string, argv: readonly string[]): Running {
  const child = spawn(program, argv, { env: { ...process.env, MESETA_MASTER: cluster.master, SHELL: '/bin/sh' } });
  const { out, err } = collectOutput(child);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, out, err, ended };
}

const start = (...argv: readonly string[]): Running => startProgram(process.execPath, [meseta, ...argv]);

/** In a terminal of 30 rows and 90 columns. What is written to the child is typed. */
function startInTerminal(...argv: readonly string[]): Running {
  const quoted = [process.execPath, meseta, ...argv].map((argument) => `'${argument}'`).join(' ');
  const command = `stty rows 30 cols 90; ${quoted}; echo "status $?"; stty -a | grep -o ' -\\{0,1\\}icanon'`;
  return startProgram('script', ['-qec', command, '/dev/null']);
}

test('exec runs a command beside the task and exits with its status, with its output apart', async () => {
  const outcomes: readonly (readonly [argv: readonly string[], status: number, out: string, err: RegExp])[] = [
    [['plain', 'cat', 'stdout'], 0, 'started\n', /^$/],
    [['plain', 'sh', '-c', 'echo out; echo err >&2; exit 3'], 3, 'out\n', /^err\n$/],
    [['plain', 'sh', '-c', 'kill -9 $$'], 137, '', /^$/],
    [['plain', '--', 'echo', '-n', '--json'], 0, '--json', /^$/],
    [['plain', 'no-such-program'], 127, '', /Failed to execute no-such-program/],
    [['nobody', 'true'], 1, '', /^no task nobody; 'meseta task list --all' shows them\n$/],
    [['plain'], 2, '', /expected TASK COMMAND\.\.\., got 'plain'/],
    [['-it', 'plain', 'true'], 2, '', /expected a terminal as standard input/],
    [['--master=127.0.0.1:9', 'plain', 'true'], 3, '', /no master answers/],
  ];
  for (const [argv, status, out, err] of outcomes) {
    const run = start('task', 'exec', ...argv);
    run.child.stdin.end();
    assert.equal(await run.ended, status, `${argv.join(' ')}: ${run.err()}`);
    assert.equal(run.out(), out);
    assert.match(run.err(), err);
  }
});

test('exec -i sends its standard input, however long, until its end', async () => {
  const run = start('task', 'exec', '-i', 'plain', 'sh', '-c', 'cat | wc -c; exit 4');
  const part = 'x'.repeat(100_000);
  for (let count = 0; count < 30; count++) run.child.stdin.write(part);
  run.child.stdin.end();
  assert.equal(await run.ended, 4, run.err());
  assert.equal(run.out().trim(), '3000000');
});

test('a command ends with the exec that runs it', async () => {
  const run = start('task', 'exec', '-i', 'plain', 'sh', '-c', 'echo $$; exec sleep 600');
  await until('its pid', () => run.out().endsWith('\n'));
  const pid = Number(run.out());
  assert.ok(existsSync(`/proc/${pid}`));
  run.child.kill('SIGINT');
  await run.ended;
  await until('the command to end', () => !existsSync(`/proc/${pid}`));
});

test(
  'TASK-SESSION-1, exec -it: the terminal has the size of this one, keys reach the command, and the modes are restored',
  withScript,
  async () => {
    const run = startInTerminal(
      'task',
      'exec',
      '-it',
      'plain',
      'sh',
      '-c',
      'stty size; read -r a; echo "<$a>"; exec sleep 600',
    );
    await until('the size', () => run.out().includes('30 90'));
    run.child.stdin.write('typed\r');
    await until('the line', () => run.out().includes('<typed>'));
    // Ctrl-C ends the command there, not the one here.
    run.child.stdin.write('\x03');
    await until('the status', () => run.out().includes('status 130'));
    await until('the modes', () => / icanon/.test(run.out()));
    run.child.stdin.end();
    await run.ended;
  },
);

test('attach: a terminal of a task, which Ctrl-P Ctrl-Q leaves, and whose end is its own', withScript, async () => {
  const refused = startInTerminal('task', 'attach', 'plain');
  await until('the refusal', () => /has no terminal.*status 1/s.test(refused.out()));
  refused.child.stdin.end();
  const first = startInTerminal('task', 'attach', 'terminal');
  await until('it to be attached', async () => {
    first.child.stdin.write('hello\r');
    // The task echoes what is typed once it is attached to.
    await pause(500);
    return first.out().includes('got hello') && first.out().includes('30 90');
  });
  first.child.stdin.write('\x10\x11');
  await until('it to detach', () => first.out().includes('status 0'));
  first.child.stdin.end();
  const output = start('task', 'attach', '--no-stdin', 'terminal');
  const second = startInTerminal('task', 'attach', 'terminal');
  await until('it to be attached again', async () => {
    second.child.stdin.write('again\r');
    await pause(500);
    return second.out().includes('got again') && output.out().includes('got again');
  });
  second.child.stdin.write('bye\r');
  await until('its end', () => second.out().includes('status 5'));
  assert.equal(await output.ended, 5);
  second.child.stdin.end();
});

test('logs -f follows the output until the task has ended', async () => {
  const run = start('task', 'logs', '-f', 'counting');
  assert.equal(await run.ended, 0, run.err());
  assert.equal(run.out(), '1\n2\n3\n');
});
