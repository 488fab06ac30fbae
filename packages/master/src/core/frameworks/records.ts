// Creates and changes the records of frameworks.
import { type FrameworkId, idOf, type Pid } from '@meseta/base';
import type { FrameworkInfo } from '@meseta/wire';
import type { Context } from '../context.js';
import { endBacklog } from '../reconciliation-queue.js';
import type { Connection, Framework, MasterState } from '../state.js';
import { rolesOf } from '../validation/framework.js';

type InfoFields = Pick<Framework, 'info' | 'roles' | 'capabilities'>;

export function infoFields(info: FrameworkInfo): InfoFields {
  const capabilities = new Set<NonNullable<NonNullable<FrameworkInfo['capabilities']>[number]['type']>>();
  for (const { type } of info.capabilities ?? []) if (type !== undefined) capabilities.add(type);
  return { info, roles: rolesOf(info), capabilities };
}

/** `info` has the id. */
export function newFramework(info: FrameworkInfo): Framework {
  const wireId = info.id as { readonly value: string };
  return {
    id: idOf<FrameworkId>(wireId),
    wireId,
    ...infoFields(info),
    suppressedRoles: new Set(),
    offerConstraints: undefined,
    status: 'recovered',
    connection: undefined,
    driverPid: undefined,
    principal: info.principal,
    registeredAtMs: undefined,
    reregisteredAtMs: undefined,
    tasks: new Map(),
    unreachableTasks: new Map(),
    completedTasks: new Set(),
    acknowledged: new Map(),
    acknowledgedOfCompleted: new Map(),
    executors: new Map(),
    offers: new Set(),
    inverseOffers: new Set(),
    operations: new Set(),
    operationUuids: new Map(),
    counters: new Map(),
  };
}

/** Replaces the record by a copy with changed fields. */
export function changeFramework(ctx: Context, framework: Framework, fields: Partial<Framework>): Framework {
  const changed = { ...framework, ...fields };
  ctx.state.frameworks.set(framework.id, changed);
  return changed;
}

export function bindConnection(state: MasterState, id: FrameworkId, connection: Connection): void {
  if (connection.kind === 'stream') state.frameworkByStream.set(connection.id, id);
  else state.frameworkByPid.set(connection.pid, id);
}

export function unbindConnection(state: MasterState, connection: Connection | undefined): void {
  if (connection?.kind === 'stream') {
    const id = state.frameworkByStream.get(connection.id);
    state.frameworkByStream.delete(connection.id);
    if (id !== undefined) endBacklog(state, id, connection.id);
  } else if (connection?.kind === 'pid') state.frameworkByPid.delete(connection.pid);
}

/** The pid that agents get. For a v1 framework, which has none, Mesos sends `@0.0.0.0:0`. */
export const pidForAgents = ({ driverPid }: Framework): string => driverPid ?? '@0.0.0.0:0';

export const driverPidOf = (connection: Connection): Pid | undefined =>
  connection.kind === 'pid' ? connection.pid : undefined;
