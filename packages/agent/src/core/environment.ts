// The environment of a task: the variables that Mesos defines, and the task's own, which take precedence.
// Mesos: docs/executor-http-api.md, "Executor Environment".
import { addressOfPid, formatDuration, hostOf, present } from '@meseta/base';
import type { CommandInfo, ContainerInfo, EnvironmentVariable, FrameworkInfo, TaskInfo } from '@meseta/wire';
import { textOfBase64 } from '@meseta/wire/base64';
import type { ExecutorRecord } from './io.js';
import type { AgentOptions } from './options.js';
import { executorOfRun, type TaskRun } from './runs.js';
import type { AgentState, FrameworkRecord } from './state.js';

export type Environment = { readonly [name: string]: string };

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const ANY_ADDRESS = '0.0.0.0';

const hasOwnNetwork = (container: ContainerInfo | undefined): boolean =>
  (container?.network_infos ?? []).some(({ name }) => name !== undefined);

export function executorEnvironment(
  options: AgentOptions,
  agentId: string,
  framework: FrameworkInfo,
  executor: ExecutorRecord,
): Environment {
  const graceMs = (executor.info.shutdown_grace_period?.nanoseconds ?? options.executorShutdownGraceMs * 1e6) / 1e6;
  return {
    PATH: DEFAULT_PATH,
    ...options.executorEnvironment,
    LIBPROCESS_PORT: '0',
    // In a network of its own, an executor has addresses that only plugins know.
    LIBPROCESS_IP: hasOwnNetwork(executor.info.container) ? ANY_ADDRESS : options.localIp,
    MESOS_FRAMEWORK_ID: executor.frameworkId,
    MESOS_EXECUTOR_ID: executor.info.executor_id.value,
    MESOS_DIRECTORY: executor.sandbox,
    ['MESOS_SLAVE_ID']: agentId,
    ['MESOS_SLAVE_PID']: options.pid,
    MESOS_AGENT_ENDPOINT: addressOfPid(options.pid),
    MESOS_CHECKPOINT: framework.checkpoint ? '1' : '0',
    MESOS_HTTP_COMMAND_EXECUTOR: options.httpCommandExecutor ? '1' : '0',
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: formatDuration(graceMs),
    ...(framework.checkpoint
      ? {
          MESOS_RECOVERY_TIMEOUT: formatDuration(options.recoveryTimeoutMs),
          MESOS_SUBSCRIPTION_BACKOFF_MAX: formatDuration(options.executorReregistrationTimeoutMs),
        }
      : {}),
    MESOS_SANDBOX: executor.info.container?.mesos?.image ? options.sandboxDirectory : executor.sandbox,
  };
}

/** This host's address as peers see it. */
export const ipOf = ({ pid }: AgentOptions): string => hostOf(addressOfPid(pid));

/** The environment of a task that the agent runs itself. */
export function environmentOfRun(
  { options, info }: AgentState,
  framework: FrameworkRecord,
  run: TaskRun,
  task: TaskInfo,
): Environment {
  const executor = present(executorOfRun(framework, run), 'the executor of a task');
  const agentId = info.id?.value ?? '';
  const environment = taskEnvironment(options, agentId, framework.info, { ...executor, sandbox: run.sandbox }, task);
  return run.kind === 'podTask' ? { MESOS_CONTAINER_IP: ipOf(options), ...environment } : environment;
}

/** The environment of a task's command. */
function taskEnvironment(
  options: AgentOptions,
  agentId: string,
  framework: FrameworkInfo,
  executor: ExecutorRecord,
  task: TaskInfo,
): Environment {
  const role = task.resources?.find(({ allocation_info }) => allocation_info?.role)?.allocation_info?.role;
  return {
    ...executorEnvironment(options, agentId, framework, executor),
    ...(role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }),
    ...variablesOf(task.command),
  };
}

/** A command's own variables, with the values of secrets given by value. Secret references are refused at launch. */
export const variablesOf = (command: CommandInfo | undefined): Environment =>
  Object.fromEntries(
    (command?.environment?.variables ?? []).flatMap((variable): readonly (readonly [string, string])[] => {
      const text = textOf(variable);
      return text === undefined ? [] : [[variable.name, text]];
    }),
  );

const textOf = ({ value, secret }: EnvironmentVariable): string | undefined =>
  secret?.value === undefined ? value : textOfBase64(secret.value.data);

/** Why the agent can't resolve one of the command's variables; undefined if it can resolve all. */
export function unresolvedVariable(command: CommandInfo | undefined): string | undefined {
  const variable = command?.environment?.variables?.find((it) => textOf(it) === undefined);
  if (variable === undefined) return undefined;
  return variable.secret === undefined
    ? `The variable ${variable.name} has no value`
    : `The variable ${variable.name} refers to a secret, and this agent has no secret resolver`;
}
