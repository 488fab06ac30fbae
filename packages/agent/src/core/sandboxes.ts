// Sandboxes of ended containers: kept for a while for people to look into, then deleted.
// Mesos: docs/sandbox.md, "Sandbox Lifecycle"; behaviours.md 11: the fuller the disk, the shorter they are kept.
import type { ContainerId } from '@meseta/base';
import { sandboxKey } from './keys.js';
import { log, type Step, save, setTimer } from './step.js';

export function noteSandboxEnded(step: Step, containerId: ContainerId, path: string): void {
  const endedWallMs = step.now.wallMs;
  step.state.sandboxes.set(containerId, { containerId, path, endedWallMs, removing: false });
  save(step, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs });
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
  for (const sandbox of state.sandboxes.values()) {
    if (sandbox.removing || step.now.wallMs - sandbox.endedWallMs < state.maxSandboxAgeMs) continue;
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
