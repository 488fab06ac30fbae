// Recovers the containers of an earlier agent process from their runtime files.
import type { ContainerId } from '@meseta/base';
import { type ProcessStat, stillLives } from '../../processes/process-table.js';
import { toExitStatus } from '../../supervisor/exit-record.js';
import type { ExitStatus, RecoveredContainer } from '../../types.js';
import { isPlanOfThisBoot, isSupervisorAlive, type PosixState, readRecord, readSentSignals } from './state.js';

const PLAN_SUFFIX = '.plan';

/** A spawner whose input has ended may not have read its last lines yet. */
const START_TIMEOUT_MS = 500;

type Found = { readonly first: ProcessStat; readonly status: undefined } | { readonly status: ExitStatus };

async function findProcess(state: PosixState, containerId: ContainerId, isOfThisBoot: boolean): Promise<Found> {
  const before = await readRecord(state, containerId);
  const { first } = before;
  const isAlive =
    isOfThisBoot && first !== undefined && (isSupervisorAlive(state, first) || stillLives(state.files, first));
  // Read again: if the process ended between the reading and the check, its end is recorded by now.
  const { end } = isAlive ? before : await readRecord(state, containerId);
  if (end !== undefined) return { status: toExitStatus(end, await readSentSignals(state, containerId)) };
  if (!isAlive) return { status: { kind: 'unknown' } };
  state.foreignSessions.add(first.session);
  return { first, status: undefined };
}

async function recoverOne(state: PosixState, containerId: ContainerId): Promise<RecoveredContainer> {
  const isOfThisBoot = await isPlanOfThisBoot(state, containerId);
  let found = await findProcess(state, containerId, isOfThisBoot);
  if (found.status?.kind === 'unknown' && isOfThisBoot) {
    await new Promise((resolve) => setTimeout(resolve, START_TIMEOUT_MS));
    found = await findProcess(state, containerId, isOfThisBoot);
  }
  const { status } = found;
  const first = found.status === undefined ? found.first : undefined;
  const pid = first?.pid;
  state.containers.set(containerId, {
    containerId,
    phase: pid === undefined ? 'ended' : 'running',
    pid,
    startTicks: first?.startTicks,
    supervisorPid: undefined,
    destroyed: false,
    status: undefined,
    sentSignals: await readSentSignals(state, containerId),
    pendingSignals: [],
    launchedMs: performance.now(),
  });
  return pid === undefined
    ? { containerId, state: 'ended', status: status ?? { kind: 'unknown' } }
    : { containerId, state: 'running', pid };
}

/**
 * Finds every container that has a plan and that this process doesn't know. The fifo of events is open already, so the end
 * of a container that ends meanwhile is reported.
 */
export async function recoverContainers(state: PosixState): Promise<readonly RecoveredContainer[]> {
  const ids = state.files
    .listNow(state.directory)
    .filter((name) => name.endsWith(PLAN_SUFFIX))
    .map((name) => name.slice(0, -PLAN_SUFFIX.length) as ContainerId)
    .filter((id) => !state.containers.has(id));
  return Promise.all(ids.map((id) => recoverOne(state, id)));
}
