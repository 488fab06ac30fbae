// Sandboxes of ended containers, which are kept for a while and then removed.
// Mesos: docs/sandbox.md, "Sandbox Lifecycle": the fuller the disk, the shorter they are kept.
//
// Owns `AgentState.sandboxes` and `AgentState.orphanContainers`.
// SANDBOXES-1: after a restart, a sandbox whose container was not seen to end stays until every container without a record
//     has ended: the sandbox of a pod has several, and the launcher does not know the sandbox of a container.
// SANDBOXES-2: a sandbox stays until every container nested in it has ended.

import type { ContainerId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { save } from './checkpoint.js';
import { type Context, log } from './context.js';
import { sandboxKey } from './disk-layout.js';
import { outermost } from './nested-records.js';
import type { AgentState } from './state.js';

export function startSandboxAge(ctx: Context, containerId: ContainerId, path: string): void {
  const endedWallMs = ctx.now.wallMs;
  ctx.state.sandboxes.set(containerId, { containerId, path, endedWallMs, isBeingRemoved: false });
  save(ctx, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs });
}

/** After a restart: the sandboxes of running containers do not age. */
export function excludeSandboxesInUse(ctx: Context): void {
  const { runs, sandboxes } = ctx.state;
  for (const containerId of runs.keys()) sandboxes.delete(containerId);
  ageUnwatchedSandboxes(ctx);
}

/** A container without a record has ended. */
export function handleOrphanEnded(ctx: Context, containerId: ContainerId): void {
  if (ctx.state.orphanContainers.delete(containerId)) ageUnwatchedSandboxes(ctx);
}

/** SANDBOXES-1. */
function ageUnwatchedSandboxes(ctx: Context): void {
  const { orphanContainers, sandboxes } = ctx.state;
  if (orphanContainers.size > 0) return;
  for (const [containerId, sandbox] of sandboxes) {
    if (sandbox.endedWallMs === undefined) sandboxes.set(containerId, { ...sandbox, endedWallMs: ctx.now.wallMs });
  }
}

/** SANDBOXES-2: the outermost containers of running nested containers. */
function outermostOfRunning({ nestedContainers }: AgentState): ReadonlySet<string> {
  const running = [...nestedContainers.values()].filter(({ record }) => record.state !== 'ended');
  return new Set(running.map(({ record }) => outermost(record.id)));
}

/** Requests a measurement of the disk, and the next one after an interval. */
export function measureDiskPeriodically(ctx: Context): void {
  setTimer(ctx, { kind: 'disk' }, ctx.state.options.diskWatchIntervalMs);
  ctx.effects.push({ kind: 'measureDisk' });
}

export function handleDiskUsage(ctx: Context, usedShare: number): void {
  const { state } = ctx;
  const { gcDelayMs, gcDiskHeadroom } = state.options;
  state.maxSandboxAgeMs = gcDelayMs * Math.max(0, 1 - gcDiskHeadroom - usedShare);
  const inUse = outermostOfRunning(state);
  for (const sandbox of state.sandboxes.values()) {
    const { endedWallMs } = sandbox;
    if (sandbox.isBeingRemoved || endedWallMs === undefined || inUse.has(sandbox.containerId)) continue;
    if (ctx.now.wallMs - endedWallMs < state.maxSandboxAgeMs) continue;
    if (!sandbox.path.startsWith(`${state.options.workDir}/`)) {
      log(ctx, 'warning', `not removing the sandbox ${sandbox.path}: it is not below ${state.options.workDir}`);
      state.sandboxes.delete(sandbox.containerId);
      save(ctx, sandboxKey(sandbox.containerId), undefined);
      continue;
    }
    state.sandboxes.set(sandbox.containerId, { ...sandbox, isBeingRemoved: true });
    ctx.effects.push({ kind: 'removeSandbox', containerId: sandbox.containerId, path: sandbox.path });
  }
}

/** While there is a shortage new tasks are refused; running ones continue. */
export function handleDiskRoom(ctx: Context, shortage: string | undefined): void {
  ctx.state.diskShortage = shortage;
  if (shortage === undefined) {
    log(ctx, 'info', 'the disk has room again: tasks are launched again');
    return;
  }
  log(ctx, 'warning', `no task is launched for now: ${shortage}`);
  ctx.effects.push({ kind: 'measureDisk' });
}

export function handleSandboxRemoved(ctx: Context, containerId: ContainerId, error: string | undefined): void {
  const sandbox = ctx.state.sandboxes.get(containerId);
  if (sandbox === undefined) return;
  if (error !== undefined) {
    ctx.state.counters.sandboxRemovalsFailed++;
    log(ctx, 'warning', `the sandbox ${sandbox.path} could not be removed: ${error}`);
    ctx.state.sandboxes.set(containerId, { ...sandbox, isBeingRemoved: false });
    return;
  }
  ctx.state.counters.sandboxesRemoved++;
  ctx.state.sandboxes.delete(containerId);
  save(ctx, sandboxKey(containerId), undefined);
}
