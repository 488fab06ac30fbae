// Containers of an earlier agent process, read back from their runtime directories.
import type { ContainerId } from '@meseta/base';
import { exitStatus } from './exit-record.js';
import {
  lives,
  type Phase,
  type PosixState,
  readCode,
  readPidFile,
  readPlace,
  readSent,
  runtimeDirectory,
  shellSaid,
} from './posix-state.js';
import type { ExitStatus, RecoveredContainer } from './types.js';

/** A spawner whose input has ended may still be working off its last lines. */
const startPatienceMs = 500;

/** Whether the container was launched since this machine's last start: pids mean nothing across it. */
async function isOfThisBoot(state: PosixState, containerId: ContainerId): Promise<boolean> {
  const plan = await state.files.readText(`${runtimeDirectory(state, containerId)}/plan`);
  const boot = state.files.readTextNow('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return plan.ok && plan.value.startsWith(`# boot ${boot}\n`);
}

async function statusOf(
  state: PosixState,
  containerId: ContainerId,
): Promise<{ pid: number | undefined; status: ExitStatus | undefined }> {
  const { supervisor, first } = await readPidFile(state, containerId);
  // Before the status: one that ends in between has left it by then.
  const alive = (await isOfThisBoot(state, containerId)) && (lives(state, supervisor) || lives(state, first));
  const code = await readCode(state, containerId);
  if (supervisor !== undefined && alive) state.foreignSessions.add(supervisor.session);
  if (code !== undefined) {
    const said = await shellSaid(state, containerId);
    return { pid: first?.pid, status: exitStatus(code, said, await readSent(state, containerId)) };
  }
  return alive && first !== undefined
    ? { pid: first.pid, status: undefined }
    : { pid: undefined, status: { kind: 'unknown' } };
}

async function recoverOne(state: PosixState, containerId: ContainerId): Promise<RecoveredContainer> {
  let found = await statusOf(state, containerId);
  if (found.status?.kind === 'unknown' && (await isOfThisBoot(state, containerId))) {
    await new Promise((resolve) => setTimeout(resolve, startPatienceMs));
    found = await statusOf(state, containerId);
  }
  const running = found.status === undefined && found.pid !== undefined;
  const phase: Phase = running ? 'running' : 'ended';
  state.containers.set(containerId, {
    containerId,
    place: (await readPlace(state, containerId)) ?? { sandbox: '/', user: undefined },
    phase,
    pid: found.pid,
    destroyed: false,
    status: undefined,
    sent: await readSent(state, containerId),
    waiting: [],
    launchedMs: performance.now(),
  });
  return running
    ? { containerId, state: 'running', pid: found.pid as number }
    : { containerId, state: 'ended', status: found.status ?? { kind: 'unknown' } };
}

/**
 * Finds every container that has a runtime directory and that this process doesn't know. The fifo of events is open
 * already, so one that ends while this looks is heard of.
 */
export async function recoverContainers(state: PosixState): Promise<readonly RecoveredContainer[]> {
  const entries = await state.files.list(state.directory);
  const ids = (entries.ok ? entries.value : [])
    .filter((entry) => entry.kind === 'directory' && !state.containers.has(entry.name as ContainerId))
    .map((entry) => entry.name as ContainerId);
  return Promise.all(ids.map((id) => recoverOne(state, id)));
}
