// `meseta run`: runs one command on the cluster, prints its output and exits with its status, as mesos-execute does.
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { escapeControls } from '@meseta/base';
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
import { type Cluster, clusterOf, printJson, resultOf } from '../cluster.js';
import {
  CommandError,
  clusterOptions,
  defineCommand,
  EXIT,
  MAX_TIMER_MS,
  parseDurationOption,
  parseNumber,
  usageError,
} from '../command.js';
import { printText } from '../output.js';
import { exitCodeOf } from '../run/exit-code.js';
import { followFile, sandboxOf } from '../sandbox.js';
import { formatSpan } from '../table.js';

const options = {
  ...clusterOptions,
  name: {
    type: 'string',
    value: 'NAME',
    help: 'the name of the task and its framework (default: that of the program)',
  },
  command: { type: 'string', value: 'TEXT', help: 'a shell command line, in place of PROGRAM' },
  cpus: { type: 'string', default: '0.1', value: 'N', help: 'cpus (default 0.1)' },
  mem: { type: 'string', default: '32', value: 'MB', help: 'memory (default 32)' },
  disk: { type: 'string', default: '0', value: 'MB', help: 'disk (default 0)' },
  gpus: { type: 'string', default: '0', value: 'N', help: 'gpus (default 0)' },
  env: {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'NAME=VALUE',
    help: 'an environment variable; repeatable',
  },
  uri: {
    type: 'string',
    multiple: true,
    default: [] as string[],
    value: 'URI',
    help: 'a file to fetch into the sandbox before the start; repeatable',
  },
  role: { type: 'string', default: '*', value: 'ROLE', help: 'the role of the framework (default *)' },
  user: { type: 'string', value: 'USER', help: 'the user that the command runs as (default: the current user)' },
  timeout: {
    type: 'string',
    value: 'DURATION',
    help: 'how long to wait for a sufficient offer, such as 30secs (default: unlimited)',
  },
  detach: { type: 'boolean', help: 'return as soon as the task runs; it continues for a week at most' },
} as const;

const MAX_NAME_IN_ID = 100;

const RESOURCES = ['cpus', 'mem', 'disk', 'gpus'] as const;

export const run = defineCommand({
  summary: 'Runs one command on the cluster and prints its output.',
  positionals: '[PROGRAM...]',
  about: `  meseta run [OPTION]... -- PROGRAM ARGUMENT...
  meseta run [OPTION]... --command='SHELL COMMAND LINE'
Runs a command on an agent with enough free resources, prints its output, and exits with its status
(128 + the signal's number if a signal ended it). Ctrl-C kills it.`,
  options,
  run(values, argv, path) {
    const command = commandOf(values.command, argv, values.env, values.uri);
    const resources = Object.fromEntries(
      RESOURCES.map((name) => [name, parseNumber(path, name, values[name])] as const).filter(([, n]) => n > 0),
    );
    const [program = ''] = (command.value ?? '').trim().split(/\s+/);
    const name = values.name ?? (basename(program) || 'run');
    return runOnCluster(clusterOf(values), {
      name,
      command,
      resources,
      detach: values.detach ?? false,
      json: values.json ?? false,
      timeoutMs:
        values.timeout === undefined ? undefined : parseDurationOption(path, 'timeout', values.timeout, MAX_TIMER_MS),
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

/** Why the command ended before its task: the exit status and a message. */
interface EarlyEnd {
  readonly exitCode: number;
  readonly text: string;
}

/** Waits for an offer, launches the task and follows it; returns the exit status. */
async function runOnCluster(cluster: Cluster, run: Run): Promise<number> {
  // The scheduler would wait for its master without a limit; the user is to see that none answers.
  await resultOf(cluster, cluster.master.call('GET_HEALTH'));
  const { address: master, credential } = cluster;
  const scheduler = connectScheduler({ master, framework: run.framework, credential });
  const interruption = watchInterruption(scheduler, run);
  try {
    const ended = await launchAndFollow(cluster, scheduler, run, interruption.launched);
    if (typeof ended === 'number') return ended;
    if (ended !== undefined) {
      await scheduler.teardown().catch(() => scheduler.close());
      return report(ended, run);
    }
  } catch (error) {
    scheduler.close();
    throw asCommandError(error, cluster);
  } finally {
    interruption.stop();
  }
  const earlyEnd = interruption.earlyEnd();
  if (earlyEnd?.text) process.stderr.write(`meseta run: ${earlyEnd.text}\n`);
  return earlyEnd?.exitCode ?? EXIT.failed;
}

/** The task's last status; an exit status if the task continues detached; undefined if the scheduler was closed. */
async function launchAndFollow(
  cluster: Cluster,
  scheduler: Scheduler,
  run: Run,
  onLaunch: () => void,
): Promise<TaskStatus | number | undefined> {
  const taskId = `${idOfName(run.name)}-${Date.now().toString(36)}`;
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
        await ignoringDisconnection(launchTask(scheduler, offer, taskId, run));
      } else await ignoringDisconnection(scheduler.call('DECLINE', { decline: { offer_ids: [offer.id] } }));
    }
    const status = event.update?.status;
    if (status === undefined || status.task_id.value !== taskId) continue;
    if (status.state === 'TASK_RUNNING' && run.detach) return detach(scheduler, taskId, run);
    if (status.state === 'TASK_RUNNING' && !run.json) {
      output ??= showOutput(cluster, launched, taskId, () => isOver).catch((error: unknown) => {
        process.stderr.write(`meseta run: ${escapeControls(error instanceof Error ? error.message : String(error))}\n`);
      });
    }
    if (!isTerminal(status.state) && status.state !== 'TASK_UNKNOWN') continue;
    ended = status;
    await ignoringDisconnection(scheduler.acknowledge({ status }));
    break;
  }
  isOver = true;
  await output;
  return ended;
}

/** The name as a part of a task id, which has no slash and at most 255 characters. */
const idOfName = (name: string): string => name.replace(/[^\w.-]+/g, '-').slice(0, MAX_NAME_IN_ID);

/** After a lost connection the next subscription reconciles the task. */
async function ignoringDisconnection(call: Promise<void>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof MesetaError) || !['disconnected', 'unreachable'].includes(error.code)) throw error;
  });
}

const reconcile = (scheduler: Scheduler, { agent_id }: Offer, taskId: string): Promise<void> =>
  ignoringDisconnection(
    scheduler.call('RECONCILE', { reconcile: { tasks: [{ task_id: { value: taskId }, agent_id }] } }),
  );

/** Ctrl-C, SIGTERM and --timeout end the framework, and its task with it. */
function watchInterruption(scheduler: Scheduler, run: Run) {
  let earlyEnd: EarlyEnd | undefined;
  const endEarly = (exitCode: number, text: string): void => {
    if (earlyEnd !== undefined) return;
    earlyEnd = { exitCode, text };
    scheduler.teardown().catch(() => scheduler.close());
  };
  const onInterrupt = (): void => endEarly(130, '');
  const onTerminate = (): void => endEarly(143, '');
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  const { timeoutMs } = run;
  const onTimeout = (): void =>
    endEarly(EXIT.failed, `no offer with enough resources came in ${formatSpan(timeoutMs ?? 0)}`);
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
  return {
    launched: () => clearTimeout(timer),
    earlyEnd: () => earlyEnd,
    stop() {
      clearTimeout(timer);
      process.removeListener('SIGINT', onInterrupt);
      process.removeListener('SIGTERM', onTerminate);
    },
  };
}

/** Agents pass commands no task id, so frameworks do in this variable; a value given with --env takes precedence. */
function withTaskId(command: CommandInfo, id: string): CommandInfo {
  const given = command.environment?.variables ?? [];
  return { ...command, environment: { variables: [{ name: 'MESOS_TASK_ID', value: id }, ...given] } };
}

async function launchTask(scheduler: Scheduler, offer: Offer, id: string, run: Run): Promise<void> {
  const command = withTaskId(run.command, id);
  const task = commandTask(offer, { id, name: run.name, command, resources: run.resources });
  await scheduler.call('ACCEPT', {
    accept: { offer_ids: [offer.id], operations: [launch([task])], filters: { refuse_seconds: 3600 } },
  });
  await scheduler.call('SUPPRESS');
}

/** Closes the scheduler, whose task continues, and prints the ids. */
function detach(scheduler: Scheduler, taskId: string, run: Run): number {
  scheduler.close();
  if (run.json) printJson({ framework_id: scheduler.frameworkId, task_id: taskId });
  else printText(`${scheduler.frameworkId}/${taskId}`);
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

/** The message of a command task's last status says how the command ended, as in Mesos. */
function report(status: TaskStatus, run: Run): number {
  if (run.json) printJson(status);
  if (status.state === 'TASK_FINISHED') return EXIT.done;
  const message = status.message ?? '';
  if (!run.json)
    process.stderr.write(`meseta run: ${status.state}${message === '' ? '' : `: ${escapeControls(message)}`}\n`);
  return exitCodeOf(message);
}

function asCommandError(error: unknown, cluster: Cluster): unknown {
  if (!(error instanceof MesetaError)) return error;
  const exitCode = error.code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
  return new CommandError(`${error.message} (master ${cluster.shown})`, exitCode);
}
