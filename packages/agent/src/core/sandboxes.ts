// Sandboxes of ended containers: kept for a while for people to look into, then deleted.
// Mesos: docs/sandbox.md, "Sandbox Lifecycle": the fuller the disk, the shorter they are kept.
//
// Owns `AgentState.sandboxes` and `AgentState.strays`.
// SANDBOXES-1: after a restart, sandboxes whose containers were not seen to end stay until every container that no record
//     names has ended: a sandbox of a pod has several, and the launcher does not say in which sandbox a container runs.
// SANDBOXES-2: a sandbox stays until every container nested in it has ended.

import type { ContainerId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { save } from './checkpoint.js';
import { type Context, log } from './context.js';
import { sandboxKey } from './disk-layout.js';
import { outermost } from './nested-records.js';
import type { AgentState } from './state.js';

export function noteSandboxEnded(ctx: Context, containerId: ContainerId, path: string): void {
  const endedWallMs = ctx.now.wallMs;
  ctx.state.sandboxes.set(containerId, { containerId, path, endedWallMs, removing: false });
  save(ctx, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs });
}

/** After a restart: the sandboxes of containers that the agent found running are not to be collected. */
export function keepSandboxesInUse(ctx: Context): void {
  const { runs, sandboxes } = ctx.state;
  for (const containerId of runs.keys()) sandboxes.delete(containerId);
  ageUnwatchedSandboxes(ctx);
}

/** A container has ended that is neither an executor's nor a task's nor launched by a call. */
export function strayEnded(ctx: Context, containerId: ContainerId): void {
  if (ctx.state.strays.delete(containerId)) ageUnwatchedSandboxes(ctx);
}

/** SANDBOXES-1. */
function ageUnwatchedSandboxes(ctx: Context): void {
  const { strays, sandboxes } = ctx.state;
  if (strays.size > 0) return;
  for (const [containerId, sandbox] of sandboxes) {
    if (sandbox.endedWallMs === undefined) sandboxes.set(containerId, { ...sandbox, endedWallMs: ctx.now.wallMs });
  }
}

/** SANDBOXES-2: the containers in whose sandboxes others run, each the outermost of its chain. */
function outermostOfRunning({ nestedContainers }: AgentState): ReadonlySet<string> {
  const running = [...nestedContainers.values()].filter(({ record }) => record.state !== 'ended');
  return new Set(running.map(({ record }) => outermost(record.id)));
}

/** Looks at the disk once in an interval. */
export function watchDisk(ctx: Context): void {
  setTimer(ctx, { kind: 'disk' }, ctx.state.config.diskWatchIntervalMs);
  ctx.effects.push({ kind: 'measureDisk' });
}

export function diskUsage(ctx: Context, usedShare: number): void {
  const { state } = ctx;
  const { gcDelayMs, gcDiskHeadroom } = state.config;
  state.maxSandboxAgeMs = gcDelayMs * Math.max(0, 1 - gcDiskHeadroom - usedShare);
  const inUse = outermostOfRunning(state);
  for (const sandbox of state.sandboxes.values()) {
    const { endedWallMs } = sandbox;
    if (sandbox.removing || endedWallMs === undefined || inUse.has(sandbox.containerId)) continue;
    if (ctx.now.wallMs - endedWallMs < state.maxSandboxAgeMs) continue;
    if (!sandbox.path.startsWith(`${state.config.workDir}/`)) {
      log(ctx, 'warning', `the sandbox ${sandbox.path} is left alone: it is not below ${state.config.workDir}`);
      state.sandboxes.delete(sandbox.containerId);
      save(ctx, sandboxKey(sandbox.containerId), undefined);
      continue;
    }
    state.sandboxes.set(sandbox.containerId, { ...sandbox, removing: true });
    ctx.effects.push({ kind: 'removeSandbox', containerId: sandbox.containerId, path: sandbox.path });
  }
}

/** What runs goes on; new tasks are refused while there is a shortage. */
export function diskRoom(ctx: Context, shortage: string | undefined): void {
  ctx.state.diskShortage = shortage;
  if (shortage === undefined) {
    log(ctx, 'info', 'the disk has room again: tasks are launched again');
    return;
  }
  log(ctx, 'warning', `no task is launched for now: ${shortage}`);
  ctx.effects.push({ kind: 'measureDisk' });
}

export function sandboxRemoved(ctx: Context, containerId: ContainerId, error: string | undefined): void {
  const sandbox = ctx.state.sandboxes.get(containerId);
  if (sandbox === undefined) return;
  if (error !== undefined) {
    ctx.state.counters.sandboxRemovalsFailed++;
    log(ctx, 'warning', `the sandbox ${sandbox.path} could not be removed: ${error}`);
    ctx.state.sandboxes.set(containerId, { ...sandbox, removing: false });
    return;
  }
  ctx.state.counters.sandboxesRemoved++;
  ctx.state.sandboxes.delete(containerId);
  save(ctx, sandboxKey(containerId), undefined);
}
