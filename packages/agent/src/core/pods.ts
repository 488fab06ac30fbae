// Pods: task groups of the DEFAULT executor, which is the agent itself. A task has a container of its own, its sandbox
// lies in the pod's; there is no process but theirs. Mesos: docs/nested-container-and-task-group.md; behaviours.md 10.
//
// P1: of the tasks that were launched together, one that fails or is killed ends all; one that finishes ends none
//     (`run-end.ts`).
// P2: the executor ends with its last container, with status 0; until then tasks may join it.
import type { ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { present } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import { environmentOfRun } from './environment.js';
import { endExecutor, tellExecutorExited, userOf } from './executors.js';
import type { ExecutorRecord, MemberRecord, VolumeLink } from './io.js';
import type { FrameworkRecord } from './state.js';
import type { Step } from './step.js';
import { volumeLinks } from './volumes.js';

/** The task is on disk: its container starts, unless it was ended in the meantime. */
export function launchMember(step: Step, frameworkId: FrameworkId, taskId: TaskId): void {
  const framework = step.state.frameworks.get(frameworkId);
  const member = framework?.members.get(taskId);
  const executor = member && framework?.executors.get(member.executorId);
  if (framework === undefined || executor === undefined || member?.state !== 'queued') return;
  framework.members.set(taskId, { ...member, state: 'launching' });
  const spec = specOf(step, framework, member);
  const volumes = [...volumeLinks(step.state.config.workDir, spec.resources), ...sharedPaths(executor, spec)];
  step.effects.push({ kind: 'launch', spec, volumes, pod: { sandbox: executor.sandbox, taskId } });
}

function specOf(step: Step, framework: FrameworkRecord, member: MemberRecord): ContainerSpec {
  const { info } = present(framework.tasks.get(member.taskId), 'the task of a container');
  return {
    containerId: member.containerId,
    sandbox: member.sandbox,
    user: userOf(step, framework.info, info.command),
    command: info.command ?? {},
    environment: environmentOfRun(step.state, framework, member, info),
    uris: info.command?.uris ?? [],
    rlimits: info.container?.rlimit_info,
    resources: info.resources ?? [],
    container: info.container,
  };
}

/** Paths of the pod's sandbox that the task wants in its own (SANDBOX_PATH volumes of type PARENT). */
const sharedPaths = (executor: ExecutorRecord, { container }: ContainerSpec): readonly VolumeLink[] =>
  (container?.volumes ?? []).flatMap(({ container_path, source }) => {
    const path = source?.sandbox_path?.type === 'PARENT' ? source.sandbox_path.path : undefined;
    if (path === undefined || path.split('/').includes('..')) return [];
    return [{ containerPath: container_path, hostPath: `${executor.sandbox}/${path}` }];
  });

/** P2. */
export function endPodIfEmpty(step: Step, frameworkId: FrameworkId, executorId: ExecutorId): void {
  const framework = step.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  if (framework === undefined || executor?.kind !== 'default' || executor.state === 'ended') return;
  for (const member of framework.members.values()) {
    if (member.executorId === executorId && member.state !== 'ended') return;
  }
  tellExecutorExited(step, framework, executor, 0);
  endExecutor(step, framework, executor);
}
