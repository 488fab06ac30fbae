// Containers of an earlier agent process, read back from their runtime files.
import type { ContainerId } from '@meseta/base';
import { stillLives } from '../../processes/process-table.js';
import { exitStatus } from '../../supervisor/exit-record.js';
import type { ExitStatus, RecoveredContainer } from '../../types.js';
import { type PosixState, readPlan, readRecord, readSent, supervisorLives } from './state.js';

const PLAN = '.plan';

/** A spawner whose input has ended may still be working off its last lines. */
const startPatienceMs = 500;

type Found = { readonly pid: number; readonly status: undefined } | { readonly status: ExitStatus };

async function look(state: PosixState, containerId: ContainerId, thisBoot: boolean): Promise<Found> {
  const before = await readRecord(state, containerId);
  const { first } = before;
  const alive = thisBoot && first !== undefined && (supervisorLives(state, first) || stillLives(state.files, first));
  // Read again: one that ended in between has left its end by now.
  const { end } = alive ? before : await readRecord(state, containerId);
  if (end !== undefined) return { status: exitStatus(end, await readSent(state, containerId)) };
  if (!alive) return { status: { kind: 'unknown' } };
  state.foreignSessions.add(first.session);
  return { pid: first.pid, status: undefined };
}

type Relocate = (sandbox: string) => string;

async function recoverOne(
  state: PosixState,
  containerId: ContainerId,
  relocate: Relocate,
): Promise<RecoveredContainer> {
  const { thisBoot, place } = await readPlan(state, containerId);
  let found = await look(state, containerId, thisBoot);
  if (found.status?.kind === 'unknown' && thisBoot) {
    await new Promise((resolve) => setTimeout(resolve, startPatienceMs));
    found = await look(state, containerId, thisBoot);
  }
  const { status } = found;
  const pid = found.status === undefined ? found.pid : undefined;
  state.containers.set(containerId, {
    containerId,
    place: { ...place, sandbox: relocate(place.sandbox) },
    phase: pid === undefined ? 'ended' : 'running',
    pid,
    supervisor: undefined,
    destroyed: false,
    status: undefined,
    sent: await readSent(state, containerId),
    waiting: [],
    launchedMs: performance.now(),
  });
  return pid === undefined
    ? { containerId, state: 'ended', status: status ?? { kind: 'unknown' } }
    : { containerId, state: 'running', pid };
}

/**
 * Finds every container that has a plan and that this process doesn't know. The fifo of events is open already, so one
 * that ends while this looks is heard of.
 */
export async function recoverContainers(state: PosixState, relocate: Relocate): Promise<readonly RecoveredContainer[]> {
  const ids = state.files
    .listNow(state.directory)
    .filter((name) => name.endsWith(PLAN))
    .map((name) => name.slice(0, -PLAN.length) as ContainerId)
    .filter((id) => !state.containers.has(id));
  return Promise.all(ids.map((id) => recoverOne(state, id, relocate)));
}
