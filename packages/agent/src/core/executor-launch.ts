// The container specifications of executors and tasks.
import type { ExecutorId, FrameworkId } from '@meseta/base';
import { present } from '@meseta/base';
import type { ContainerResources, ContainerSpec } from '@meseta/containers/types';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { TaskInfo, ValueScalar } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { Context } from './context.js';
import { environmentOfRun, executorEnvironment, variablesOf } from './environment.js';
import { userOf } from './executors.js';
import type { ExecutorRecord } from './io.js';
import { type CommandExecutor, isCommand, type TaskRun } from './runs.js';
import { agentIdOf, type FrameworkRecord, tasksOf } from './state.js';
import { persistentVolumes } from './volumes.js';

/** EXECUTORS-1: launches the container of an executor that is on disk, unless the executor was ended meanwhile. */
export function launchExecutor(ctx: Context, frameworkId: FrameworkId, executorId: ExecutorId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  if (framework === undefined || executor?.state !== 'queued') return;
  framework.executors.set(executorId, { ...executor, state: 'launching' });
  const spec = isCommand(executor) ? commandSpec(ctx, framework, executor) : customSpec(ctx, framework, executor);
  const token = executor.kind === 'custom' ? { executor: { frameworkId, executorId } } : {};
  ctx.effects.push({ kind: 'launch', spec, ...token });
}

/** What a custom executor's container may use: its own resources, and those of its tasks that have not ended. */
function resourcesOf(framework: FrameworkRecord, { info }: ExecutorRecord): ContainerResources {
  const tasks = [...tasksOf(framework, info.executor_id.value as ExecutorId)];
  return sumOf([info, ...tasks.filter(({ task }) => !isTerminal(task.state)).map((task) => task.info)]);
}

/** What they may use together. Where one of them has a limit, the others count with their resources. */
function sumOf(parts: readonly Pick<TaskInfo, 'resources' | 'limits'>[]): ContainerResources {
  const limits: Record<string, ValueScalar> = {};
  const names = new Set(parts.flatMap((part) => Object.keys(part.limits ?? {})));
  for (const name of names) {
    const values = parts.map((part) => {
      const request = quantity(quantitiesOf(part.resources ?? []), name) / 1000;
      return part.limits?.[name]?.value ?? request;
    });
    limits[name] = { value: values.reduce((sum, value) => sum + value, 0) };
  }
  const resources = parts.flatMap((part) => part.resources ?? []);
  return names.size === 0 ? { resources } : { resources, limits };
}

/** Tells the containerizer that the tasks of a custom executor have changed, also after a restart of the agent. */
export function updateExecutorContainer(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId } = executor;
  ctx.effects.push({ kind: 'updateContainer', containerId, ...resourcesOf(framework, executor) });
}

function customSpec(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): ContainerSpec {
  const { info, containerId, sandbox } = executor;
  const agentId = present(agentIdOf(ctx.state), 'the id of a registered agent');
  const { resources, limits } = resourcesOf(framework, executor);
  return {
    containerId,
    sandbox,
    user: userOf(ctx, framework.info, info.command),
    command: info.command ?? {},
    environment: {
      ...executorEnvironment(ctx.state.options, agentId, framework.info, executor),
      ...variablesOf(info.command),
    },
    uris: info.command?.uris ?? [],
    rlimits: info.container?.rlimit_info,
    resources,
    ...(limits === undefined ? {} : { limits }),
    isExecutor: true,
    container: info.container,
    volumes: persistentVolumes(ctx.state.options.workDir, resources),
  };
}

function commandSpec(ctx: Context, framework: FrameworkRecord, executor: CommandExecutor): ContainerSpec {
  const [task] = tasksOf(framework, executor.info.executor_id.value as ExecutorId);
  const info = present(task, 'the task of a command executor').info;
  const spec = taskSpec(ctx, framework, executor, info);
  // The agent is the executor. Mesos' has no part in the Docker container of its task.
  if (info.container?.type === 'DOCKER') return spec;
  return { ...spec, ...sumOf([info, executor.info]) };
}

/** The container of a task that the agent runs itself. */
export function taskSpec(ctx: Context, framework: FrameworkRecord, run: TaskRun, info: TaskInfo): ContainerSpec {
  return {
    containerId: run.containerId,
    sandbox: run.sandbox,
    user: userOf(ctx, framework.info, info.command),
    command: info.command ?? {},
    environment: environmentOfRun(ctx.state, framework, run, info),
    uris: info.command?.uris ?? [],
    rlimits: info.container?.rlimit_info,
    resources: info.resources ?? [],
    ...(info.limits === undefined ? {} : { limits: info.limits }),
    container: info.container,
    volumes: persistentVolumes(ctx.state.options.workDir, info.resources ?? []),
  };
}
