// `meseta run`: one command on the cluster, its output here, its status as ours (what mesos-execute does).
import { userInfo } from 'node:os';
import {
  type AgentInfo,
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
import { type Cluster, clusterOf, printJson } from '../cluster.js';
import { CLUSTER_HELP, CommandError, clusterOptions, EXIT, parse, parseNumber } from '../command.js';
import { followFile, sandboxOf } from '../sandbox.js';

const USAGE = `Usage: meseta run [OPTION]... -- PROGRAM [ARGUMENT]...
       meseta run [OPTION]... --command='SHELL COMMAND LINE'
Runs a command on an agent with enough free resources, shows its output, and exits with its status
(128 + the signal's number if a signal ended it). Ctrl-C kills it.

      --name=NAME          how the task and its framework are called (default: the command's first word)
      --cpus=N             default 0.1
      --mem=MB             default 32
      --disk=MB            default 0
      --gpus=N             default 0
      --env=NAME=VALUE     again for each variable
      --uri=URI            fetched into the sandbox before the start; again for each
      --role=ROLE          default *
      --user=USER          whom the command runs as (default: you)
      --timeout=SECONDS    how long to wait for an offer that is big enough (default: for ever)
      --detach             return as soon as it runs; it goes on for a week at most
${CLUSTER_HELP}
`;

const options = {
  ...clusterOptions,
  name: { type: 'string' },
  command: { type: 'string' },
  cpus: { type: 'string', default: '0.1' },
  mem: { type: 'string', default: '32' },
  disk: { type: 'string', default: '0' },
  gpus: { type: 'string', default: '0' },
  env: { type: 'string', multiple: true, default: [] as string[] },
  uri: { type: 'string', multiple: true, default: [] as string[] },
  role: { type: 'string', default: '*' },
  user: { type: 'string' },
  timeout: { type: 'string' },
  detach: { type: 'boolean' },
} as const;

export async function runProgram(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse('run', { args: [...argv], options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const command = commandOf(values.command, positionals, values.env, values.uri);
  const number = (option: 'cpus' | 'mem' | 'disk' | 'gpus'): number => parseNumber('run', option, values[option]);
  const resources = Object.fromEntries(
    (['cpus', 'mem', 'disk', 'gpus'] as const).map((name) => [name, number(name)] as const).filter(([, n]) => n > 0),
  );
  const name = values.name ?? (command.value ?? '').trim().split(/\s+/)[0] ?? 'run';
  return follow(clusterOf(values), {
    name,
    command,
    resources,
    detach: values.detach ?? false,
    json: values.json ?? false,
    timeoutMs: values.timeout === undefined ? undefined : 1000 * parseNumber('run', 'timeout', values.timeout),
    framework: {
      name,
      user: values.user ?? userInfo().username,
      roles: [values.role],
      ...(values.principal !== undefined && { principal: values.principal }),
      ...(resources['gpus'] !== undefined && { capabilities: [...CAPABILITIES, { type: 'GPU_RESOURCES' as const }] }),
      failover_timeout: values.detach ? 7 * 24 * 3600 : 0,
    },
  });
}

const CAPABILITIES = [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'PARTITION_AWARE' }] as const;

function commandOf(
  shell: string | undefined,
  argv: readonly string[],
  env: readonly string[],
  uris: readonly string[],
): CommandInfo {
  if ((shell === undefined) === (argv.length === 0)) {
    throw new CommandError("meseta run: expected either --command='...' or -- PROGRAM ARGUMENT...", EXIT.usage);
  }
  const variables = env.map((pair) => {
    const at = pair.indexOf('=');
    if (at <= 0) throw new CommandError(`meseta run: --env: expected NAME=VALUE, got '${pair}'`, EXIT.usage);
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

/** Waits for an offer, launches, follows, and answers the exit code. */
async function follow(cluster: Cluster, run: Run): Promise<number> {
  const scheduler = connectScheduler({
    master: cluster.address,
    framework: run.framework,
    credential: cluster.credential,
  });
  const taskId = `${run.name}-${Date.now().toString(36)}`;
  const stopWaiting = startTimeout(scheduler, run);
  const onInterrupt = (): void => {
    scheduler.teardown().catch(() => scheduler.close());
  };
  process.once('SIGINT', onInterrupt);
  let output: Promise<void> | undefined;
  let ended: TaskStatus | undefined;
  let launched: Offer | undefined;
  try {
    for await (const event of scheduler) {
      for (const offer of event.offers?.offers ?? []) {
        if (launched === undefined && fits(offer, run.resources) >= 1) {
          launched = offer;
          stopWaiting();
          await start(scheduler, offer, taskId, run);
        } else await scheduler.call('DECLINE', { decline: { offer_ids: [offer.id] } });
      }
      const status = event.update?.status;
      if (status === undefined || status.task_id.value !== taskId) continue;
      if (status.state === 'TASK_RUNNING' && run.detach) return detached(scheduler, taskId, run);
      if (status.state === 'TASK_RUNNING' && !run.json) output ??= showOutput(cluster, launched, taskId, () => ended);
      if (!isTerminal(status.state)) continue;
      ended = status;
      await scheduler.acknowledge({ status });
      break;
    }
  } catch (error) {
    throw asCommandError(error, cluster);
  } finally {
    process.removeListener('SIGINT', onInterrupt);
    stopWaiting();
  }
  await output?.catch((error: unknown) => process.stderr.write(`meseta run: ${String(error)}\n`));
  if (ended === undefined) return 130;
  await scheduler.teardown().catch(() => scheduler.close());
  return report(ended, run);
}

async function start(scheduler: Scheduler, offer: Offer, id: string, run: Run): Promise<void> {
  const task = commandTask(offer, { id, name: run.name, command: run.command, resources: run.resources });
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
  ended: () => TaskStatus | undefined,
): Promise<void> {
  if (offer === undefined) return;
  const agent: AgentInfo = { hostname: offer.hostname, port: offer.url?.address.port };
  const task = { framework_id: offer.framework_id, task_id: { value: taskId } };
  const sandbox = await sandboxOf(cluster, agent, task);
  const isOver = async (): Promise<boolean> => ended() !== undefined;
  await Promise.all([
    followFile(sandbox, 'stdout', process.stdout, isOver),
    followFile(sandbox, 'stderr', process.stderr, isOver),
  ]);
}

function startTimeout(scheduler: Scheduler, run: Run): () => void {
  if (run.timeoutMs === undefined) return () => undefined;
  const timer = setTimeout(() => {
    process.stderr.write(`meseta run: no offer with enough resources came in ${run.timeoutMs} ms\n`);
    scheduler.teardown().catch(() => scheduler.close());
  }, run.timeoutMs);
  return () => clearTimeout(timer);
}

/** Command tasks say how they ended in the status' message, as Mesos' do. */
function report(status: TaskStatus, run: Run): number {
  if (run.json) printJson(status);
  if (status.state === 'TASK_FINISHED') return EXIT.done;
  const message = status.message ?? '';
  if (!run.json) process.stderr.write(`meseta run: ${status.state}${message === '' ? '' : `: ${message}`}\n`);
  const exited = /exited with status (\d+)/.exec(message)?.[1];
  return exited === undefined ? EXIT.failed : Number(exited);
}

function asCommandError(error: unknown, cluster: Cluster): unknown {
  if (!(error instanceof MesetaError)) return error;
  const exitCode = error.code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
  return new CommandError(`${error.message} (master ${cluster.address})`, exitCode);
}
