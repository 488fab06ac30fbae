// Sandboxes of ended containers: kept for a while for people to look into, then deleted.
// Mesos: docs/sandbox.md, "Sandbox Lifecycle": the fuller the disk, the shorter they are kept.
//
// Owns `AgentState.sandboxes` and `AgentState.strays`.
// SANDBOXES-1: after a restart, sandboxes whose containers were not seen to end stay until every container that no record
//     names has ended: a sandbox of a pod has several, and the launcher does not say in which sandbox a container runs.
// SANDBOXES-2: a sandbox stays until every container nested in it has ended.
import type { ContainerId } from '@meseta/base';
import { log, type Step, save, setTimer } from './context.js';
import { sandboxKey } from './disk-layout.js';
import { outermost } from './nested-records.js';
import type { AgentState } from './state.js';

export function noteSandboxEnded(step: Step, containerId: ContainerId, path: string): void {
  const endedWallMs = step.now.wallMs;
  step.state.sandboxes.set(containerId, { containerId, path, endedWallMs, removing: false });
  save(step, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs });
}

/** After a restart: the sandboxes of containers that the agent found running are not to be collected. */
export function keepSandboxesInUse(step: Step): void {
  const { runs, sandboxes } = step.state;
  for (const containerId of runs.keys()) sandboxes.delete(containerId);
  ageUnwatchedSandboxes(step);
}

/** A container has ended that is neither an executor's nor a task's nor launched by a call. */
export function strayEnded(step: Step, containerId: ContainerId): void {
  if (step.state.strays.delete(containerId)) ageUnwatchedSandboxes(step);
}

/** SANDBOXES-1. */
function ageUnwatchedSandboxes(step: Step): void {
  const { strays, sandboxes } = step.state;
  if (strays.size > 0) return;
  for (const [containerId, sandbox] of sandboxes) {
    if (sandbox.endedWallMs === undefined) sandboxes.set(containerId, { ...sandbox, endedWallMs: step.now.wallMs });
  }
}

/** SANDBOXES-2: the containers in whose sandboxes others run, each the outermost of its chain. */
function outermostOfRunning({ nestedContainers }: AgentState): ReadonlySet<string> {
  const running = [...nestedContainers.values()].filter(({ record }) => record.state !== 'ended');
  return new Set(running.map(({ record }) => outermost(record.id)));
}

/** Looks at the disk once in an interval. */
export function watchDisk(step: Step): void {
  setTimer(step, { kind: 'disk' }, step.state.config.diskWatchIntervalMs);
  step.effects.push({ kind: 'measureDisk' });
}

export function diskUsage(step: Step, usedShare: number): void {
  const { state } = step;
  const { gcDelayMs, gcDiskHeadroom } = state.config;
  state.maxSandboxAgeMs = gcDelayMs * Math.max(0, 1 - gcDiskHeadroom - usedShare);
  const inUse = outermostOfRunning(state);
  for (const sandbox of state.sandboxes.values()) {
    const { endedWallMs } = sandbox;
    if (sandbox.removing || endedWallMs === undefined || inUse.has(sandbox.containerId)) continue;
    if (step.now.wallMs - endedWallMs < state.maxSandboxAgeMs) continue;
    if (!sandbox.path.startsWith(`${state.config.workDir}/`)) {
      log(step, 'warning', `the sandbox ${sandbox.path} is left alone: it is not below ${state.config.workDir}`);
      state.sandboxes.delete(sandbox.containerId);
      save(step, sandboxKey(sandbox.containerId), undefined);
      continue;
    }
    state.sandboxes.set(sandbox.containerId, { ...sandbox, removing: true });
    step.effects.push({ kind: 'removeSandbox', containerId: sandbox.containerId, path: sandbox.path });
  }
}

/** What runs goes on; new tasks are refused while there is a shortage. */
export function diskRoom(step: Step, shortage: string | undefined): void {
  step.state.diskShortage = shortage;
  if (shortage === undefined) {
    log(step, 'info', 'the disk has room again: tasks are launched again');
    return;
  }
  log(step, 'warning', `no task is launched for now: ${shortage}`);
  step.effects.push({ kind: 'measureDisk' });
}

export function sandboxRemoved(step: Step, containerId: ContainerId, error: string | undefined): void {
  const sandbox = step.state.sandboxes.get(containerId);
  if (sandbox === undefined) return;
  if (error !== undefined) {
    step.state.counters.sandboxRemovalsFailed++;
    log(step, 'warning', `the sandbox ${sandbox.path} could not be removed: ${error}`);
    step.state.sandboxes.set(containerId, { ...sandbox, removing: false });
    return;
  }
  step.state.counters.sandboxesRemoved++;
  step.state.sandboxes.delete(containerId);
  save(step, sandboxKey(containerId), undefined);
}
