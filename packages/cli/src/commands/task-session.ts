// `meseta task exec` and `meseta task attach`: a command beside a task, and the terminal of a task.
import { randomUUID } from 'node:crypto';
import { type AgentCall, type ContainerID, MesetaError, type Task } from '@meseta/sdk';
import { type Agent, openOutput, waitForContainer } from '@meseta/sdk/agent-streams';
import { type ClusterValues, clusterOf } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, usageError } from '../command.js';
import { agentOf } from '../sandbox.js';
import { runSession, type SessionOptions, windowNow } from '../task-session.js';
import { findTask, NAMES, tasksOf } from '../tasks.js';

const { json: _, ...connectionOptions } = clusterOptions;

interface RunningTask {
  readonly agent: Agent;
  readonly container: ContainerID;
}

async function runningTask(values: ClusterValues, name: string): Promise<RunningTask> {
  const cluster = clusterOf(values);
  const { task, address } = findTask(await tasksOf(cluster), name);
  if (task.state !== 'TASK_RUNNING') throw new CommandError(`the task ${name} does not run: it is ${task.state}`);
  if (address === undefined) throw new CommandError(`the agent of ${name} is not registered`);
  const container = containerOf(task);
  if (container === undefined) throw new CommandError(`no status of the task ${name} names its container`);
  return { agent: await agentOf(cluster, address), container };
}

const containerOf = ({ statuses = [] }: Task): ContainerID | undefined =>
  statuses.map(({ container_status }) => container_status?.container_id).findLast((id) => id !== undefined);

/** As a shell reports it: a signal is 128 + its number. */
export const exitCodeOfStatus = (status: number): number =>
  (status & 0x7f) === 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);

/** Turns an error of the agent into the error of the command. */
async function withErrors(run: Promise<number>): Promise<number> {
  return run.catch((error: unknown) => {
    if (!(error instanceof MesetaError)) throw error;
    throw new CommandError(error.message, error.code === 'unreachable' ? EXIT.unreachable : EXIT.failed);
  });
}

export const exec = defineCommand({
  summary: 'Runs a command in the container of a task.',
  positionals: 'TASK COMMAND...',
  verbatimFrom: 2,
  about: `Runs a command beside a task, in its sandbox, with its environment and as its user, and exits with the command's
status (128 + the signal's number if a signal ended it). The command ends when this one does.
${NAMES}`,
  options: {
    ...connectionOptions,
    interactive: { type: 'boolean', short: 'i', help: 'send the standard input to the command' },
    tty: { type: 'boolean', short: 't', help: 'give the command a terminal, with the size of this one' },
  },
  run(values, [name = '', ...argv], path) {
    const isTerminal = values.tty ?? false;
    const isInteractive = values.interactive ?? false;
    if (isTerminal && isInteractive && !process.stdin.isTTY) {
      throw usageError(path, '--tty with --interactive: expected a terminal as standard input');
    }
    return withErrors(runExec(values, name, argv, { isTerminal, isInteractive, canDetach: false }));
  },
});

async function runExec(
  values: ClusterValues,
  name: string,
  argv: readonly string[],
  options: SessionOptions,
): Promise<number> {
  const { agent, container: parent } = await runningTask(values, name);
  const container_id = { value: randomUUID(), parent };
  const call: AgentCall = {
    type: 'LAUNCH_NESTED_CONTAINER_SESSION',
    launch_nested_container_session: {
      container_id,
      command: { shell: false, value: argv[0] ?? '', arguments: argv },
      ...(options.isTerminal && { container: { type: 'MESOS', tty_info: { window_size: windowNow() } } }),
    },
  };
  const output = await openOutput(agent, call);
  await runSession(agent, container_id, output, options);
  const status = await waitForContainer(agent, container_id);
  return status === undefined ? EXIT.failed : exitCodeOfStatus(status);
}

/** The text of an agent, Mesos' or Meseta's, for a container without a terminal. */
const NOT_ATTACHABLE = 'I/O switchboard server was disabled for this container';

export const attach = defineCommand({
  summary: 'Connects this terminal to the terminal of a task.',
  positionals: 'TASK',
  about: `Connects this terminal to that of a task that was launched with one (tty_info). Ctrl-P Ctrl-Q detaches; the task goes on.
If the task ends meanwhile, the exit status is its own.
${NAMES}`,
  options: {
    ...connectionOptions,
    'no-stdin': { type: 'boolean', help: 'show the output only' },
  },
  run(values, [name = ''], path) {
    const isInteractive = values['no-stdin'] !== true;
    if (isInteractive && !process.stdin.isTTY) {
      throw usageError(path, 'expected a terminal as standard input, or --no-stdin');
    }
    return withErrors(runAttach(values, name, { isTerminal: true, isInteractive, canDetach: true }));
  },
});

async function runAttach(values: ClusterValues, name: string, options: SessionOptions): Promise<number> {
  const { agent, container } = await runningTask(values, name);
  const call: AgentCall = { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id: container } };
  const output = await openOutput(agent, call).catch((error: unknown) => {
    if (!(error instanceof MesetaError && error.message.endsWith(NOT_ATTACHABLE))) throw error;
    throw new CommandError(`the task ${name} has no terminal: it was launched without tty_info`);
  });
  // Asked before the end: some agents forget the status of a task's container when it has ended.
  const status = waitForContainer(agent, container).catch(() => undefined);
  const ended = await runSession(agent, container, output, options);
  if (ended === 'detached') {
    process.stderr.write('\r\n');
    // The connection of WAIT_CONTAINER would keep this process alive until the task ends.
    setImmediate(() => process.exit(EXIT.done));
    return EXIT.done;
  }
  const code = await status;
  return code === undefined ? EXIT.done : exitCodeOfStatus(code);
}
