// `meseta run`: one command on the cluster, its output here, its status as ours (what mesos-execute does).
import { userInfo } from 'node:os';
import {
  type CommandInfo,
  commandTask,
  connectScheduler,
  type FrameworkOptions,
  fits,
  isTerminal,
  launch,
  MesetaError,
  type Offer,
  type Scheduler,
  type TaskStatus,
} from '@meseta/sdk';
import { answerOf, type Cluster, clusterOf, printJson } from '../cluster.js';
import { CommandError, clusterOptions, defineCommand, EXIT, parseNumber, usageError } from '../command.js';
import { exitCodeOf } from '../run/exit-code.js';
import { followFile, sandboxOf } from '../sandbox.js';

const options = {
  ...clusterOptions,
  name: { type: 'string', value: 'NAME', help: "of the task and its framework (default: the command's first word)" },
  command: { type: 'string', value: 'TEXT', help: 'a shell command line, in place of PROGRAM' },
  cpus: { type: 'string', default: '0.1', value: 'N', help: 'default 0.1' },
  mem: { type: 'string', default: '32', value: 'MB', help: 'default 32' },
  disk: { type: 'string', default: '0', value: 'MB', help: 'default 0' },
  gpus: { type: 'string', default: '0', value: 'N', help: 'default 0' },
  env: {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'NAME=VALUE',
    help: 'again for each variable',
  },
  uri: {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'URI',
    help: 'fetched into the sandbox before the start; again for each',
  },
  role: { type: 'string', default: '*', value: 'ROLE', help: 'default *' },
  user: { type: 'string', value: 'USER', help: 'whom the command runs as (default: you)' },
  timeout: {
    type: 'string',
    value: 'SECONDS',
    help: 'how long to wait for an offer that is big enough (default: for ever)',
  },
  detach: { type: 'boolean', help: 'return as soon as it runs; it goes on for a week at most' },
} as const;

const RESOURCES = ['cpus', 'mem', 'disk', 'gpus'] as const;

export const run = defineCommand({
  summary: 'Runs one command on the cluster and shows its output.',
  words: '[PROGRAM...]',
  about: `  meseta run [OPTION]... -- PROGRAM ARGUMENT...
  meseta run [OPTION]... --command='SHELL COMMAND LINE'
Runs a command on an agent with enough free resources, shows its output, and exits with its status
(128 + the signal's number if a signal ended it). Ctrl-C kills it.`,
  options,
  run(values, words, path) {
    const command = commandOf(values.command, words, values.env, values.uri);
    const resources = Object.fromEntries(
      RESOURCES.map((name) => [name, parseNumber(path, name, values[name])] as const).filter(([, n]) => n > 0),
    );
    const name = values.name ?? (command.value ?? '').trim().split(/\s+/)[0] ?? 'run';
    return follow(clusterOf(values), {
      name,
      command,
      resources,
      detach: values.detach ?? false,
      json: values.json ?? false,
      timeoutMs: values.timeout === undefined ? undefined : 1000 * parseNumber(path, 'timeout', values.timeout),
      framework: {
        name,
        user: values.user ?? userInfo().username,
        roles: [values.role],
        ...(values.principal !== undefined && { principal: values.principal }),
        ...(resources['gpus'] !== undefined && { capabilities: [...CAPABILITIES, { type: 'GPU_RESOURCES' as const }] }),
        failover_timeout: values.detach ? 7 * 24 * 3600 : 0,
      },
    });
  },
});

const CAPABILITIES = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'PARTITION_AWARE' }] as const;

function commandOf(
  shell: string | undefined,
  argv: readonly string[],
  env: readonly string[],
  uris: readonly string[],
): CommandInfo {
  if ((shell === undefined) === (argv.length === 0)) {
    throw usageError('run', "expected either --command='...' or -- PROGRAM ARGUMENT...");
  }
  const variables = env.map((pair) => {
    const at = pair.indexOf('=');
    if (at <= 0) throw usageError('run', `--env: expected NAME=VALUE, got '${pair}'`);
    return { name: pair.slice(0, at), value: pair.slice(at + 1) };
  });
  return {
    ...(uris.length > 0 && { uris: uris.map((value) => ({ value })) }),
    ...(variables.length > 0 && { environment: { variables } }),
    ...(shell !== undefined
      ? { shell: true, value: shell }
      : { shell: false, value: argv[0] as string, arguments: [...argv] }),
  };
}

interface Run {
  readonly name: string;
  readonly command: CommandInfo;
  readonly resources: Readonly<Record<string, number>>;
  readonly detach: boolean;
  readonly json: boolean;
  readonly timeoutMs: number | undefined;
  readonly framework: FrameworkOptions;
}

/** How it ended before the task did: the exit code, and what there is to say. */
interface Given {
  readonly exitCode: number;
  readonly text: string;
}

/** Waits for an offer, launches, follows, and answers the exit code. */
async function follow(cluster: Cluster, run: Run): Promise<number> {
  // A scheduler waits for its master for ever; a person wants to hear that there is none.
  await answerOf(cluster, cluster.master.call('GET_HEALTH'));
  const { address: master, credential } = cluster;
  const scheduler = connectScheduler({ master, framework: run.framework, credential });
  const waiting = givingUp(scheduler, run);
  try {
    const ended = await launchAndFollow(cluster, scheduler, run, waiting.launched);
    if (typeof ended === 'number') return ended;
    if (ended !== undefined) {
      await scheduler.teardown().catch(() => scheduler.close());
      return report(ended, run);
    }
  } catch (error) {
    scheduler.close();
    throw asCommandError(error, cluster);
  } finally {
    waiting.stop();
  }
  const given = waiting.given();
  if (given?.text) process.stderr.write(`meseta run: ${given.text}\n`);
  return given?.exitCode ?? EXIT.failed;
}

/** The task's last status; an exit code if it goes on without us; undefined if it was given up. */
async function launchAndFollow(
  cluster: Cluster,
  scheduler: Scheduler,
  run: Run,
  onLaunch: () => void,
): Promise<TaskStatus | number | undefined> {
  const taskId = `${run.name}-${Date.now().toString(36)}`;
  let output: Promise<void> | undefined;
  let ended: TaskStatus | undefined;
  let launched: Offer | undefined;
  let isOver = false;
  for await (const event of scheduler) {
    if (event.subscribed && launched) await reconcile(scheduler, launched, taskId);
    for (const offer of event.offers?.offers ?? []) {
      if (launched === undefined && fits(offer, run.resources) >= 1) {
        launched = offer;
        onLaunch();
        await unlessCutOff(start(scheduler, offer, taskId, run));
      } else await unlessCutOff(scheduler.call('DECLINE', { decline: { offer_ids: [offer.id] } }));
    }
    const status = event.update?.status;
    if (status === undefined || status.task_id.value !== taskId) continue;
    if (status.state === 'TASK_RUNNING' && run.detach) return detached(scheduler, taskId, run);
    if (status.state === 'TASK_RUNNING' && !run.json) {
      output ??= showOutput(cluster, launched, taskId, () => isOver).catch((error: unknown) => {
        process.stderr.write(`meseta run: ${error instanceof Error ? error.message : String(error)}\n`);
      });
    }
    if (!isTerminal(status.state) && status.state !== 'TASK_UNKNOWN') continue;
    ended = status;
    await unlessCutOff(scheduler.acknowledge({ status }));
    break;
  }
  isOver = true;
  await output;
  return ended;
}

/** A connection that is lost comes back with a new subscription, which tells what became of everything. */
async function unlessCutOff(call: Promise<void>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof MesetaError) || !['disconnected', 'unreachable'].includes(error.code)) throw error;
  });
}

const reconcile = (scheduler: Scheduler, { agent_id }: Offer, taskId: string): Promise<void> =>
  unlessCutOff(scheduler.call('RECONCILE', { reconcile: { tasks: [{ task_id: { value: taskId }, agent_id }] } }));

/** Ctrl-C, SIGTERM and --timeout end the framework, and its task with it. */
function givingUp(scheduler: Scheduler, run: Run) {
  let given: Given | undefined;
  const giveUp = (exitCode: number, text: string): void => {
    if (given !== undefined) return;
    given = { exitCode, text };
    scheduler.teardown().catch(() => scheduler.close());
  };
  const onInterrupt = (): void => giveUp(130, '');
  const onTerminate = (): void => giveUp(143, '');
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  const { timeoutMs } = run;
  const late = (): void => giveUp(EXIT.failed, `no offer with enough resources came in ${(timeoutMs ?? 0) / 1000} s`);
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  return {
    launched: () => clearTimeout(timer),
    given: () => given,
    stop() {
      clearTimeout(timer);
      process.removeListener('SIGINT', onInterrupt);
      process.removeListener('SIGTERM', onTerminate);
    },
  };
}

/** Agents give commands no id of their task, so frameworks do, in this variable; one that is given with --env counts first. */
function withTaskId(command: CommandInfo, id: string): CommandInfo {
  const given = command.environment?.variables ?? [];
  return { ...command, environment: { variables: [{ name: 'MESOS_TASK_ID', value: id }, ...given] } };
}

async function start(scheduler: Scheduler, offer: Offer, id: string, run: Run): Promise<void> {
  const command = withTaskId(run.command, id);
  const task = commandTask(offer, { id, name: run.name, command, resources: run.resources });
  await scheduler.call('ACCEPT', {
    accept: { offer_ids: [offer.id], operations: [launch([task])], filters: { refuse_seconds: 3600 } },
  });
  await scheduler.call('SUPPRESS');
}

function detached(scheduler: Scheduler, taskId: string, run: Run): number {
  scheduler.close();
  if (run.json) printJson({ framework_id: scheduler.frameworkId, task_id: taskId });
  else process.stdout.write(`${scheduler.frameworkId}/${taskId}\n`);
  return EXIT.done;
}

async function showOutput(
  cluster: Cluster,
  offer: Offer | undefined,
  taskId: string,
  isOver: () => boolean,
): Promise<void> {
  if (offer === undefined) return;
  const { ip, port } = offer.url?.address ?? { ip: undefined, port: 5051 };
  const task = { framework_id: offer.framework_id, task_id: { value: taskId } };
  const sandbox = await sandboxOf(cluster, `${ip ?? offer.hostname}:${port}`, task);
  await Promise.all([
    followFile(sandbox, 'stdout', process.stdout, async () => isOver()),
    followFile(sandbox, 'stderr', process.stderr, async () => isOver()),
  ]);
}

/** Command tasks say how they ended in the status' message, as Mesos' do. */
function report(status: TaskStatus, run: Run): number {
  if (run.json) printJson(status);
  if (status.state === 'TASK_FINISHED') return EXIT.done;
  const message = status.message ?? '';
  if (!run.json) process.stderr.write(`meseta run: ${status.state}${message === '' ? '' : `: ${message}`}\n`);
  return exitCodeOf(message);
}

function asCommandError(error: unknown, cluster: Cluster): unknown {
  if (!(error instanceof MesetaError)) return error;
  const exitCode = error.code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
  return new CommandError(`${error.message} (master ${cluster.address})`, exitCode);
}
