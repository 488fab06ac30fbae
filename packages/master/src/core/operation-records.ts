// The records of operations: created when they are sent, listed from agents' reports, adopted by frameworks, removed.
// Keeps MASTER-STATE-1.
//
// An operation is recorded until its terminal status has been acknowledged. The master itself acknowledges an operation
// without an id, one of an operator, and one of a framework that has ended.
import {
  type AgentId,
  type FrameworkId,
  idOf,
  LIMITS,
  type OperationId,
  type OperationUuid,
  overLimit,
} from '@meseta/base';
import {
  applyConversions,
  mapOperationResources,
  needsCheckpoint,
  type ResourceConversion,
  type Resources,
  unallocate,
} from '@meseta/resources';
import type { OfferOperation, Operation, OperationStatus } from '@meseta/wire';
import { isTerminalOperation } from '@meseta/wire/task-states';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { changeAgent } from './agents/records.js';
import { type Context, count, send, warn } from './context.js';
import { countOperation } from './counters.js';
import { sendEvent } from './events.js';
import type { Agent, Framework, OperationRecord } from './state.js';

/** Reports an invalid operation: to the log, and to an HTTP framework if the operation has an id. */
export function operationError(ctx: Context, framework: Framework, operation: OfferOperation, message: string): void {
  warn(ctx, `${operation.type} of framework ${framework.id}: ${message}`);
  countOperationState(ctx, operation, 'error');
  if (operation.id === undefined) return;
  sendOperationStatus(ctx, framework, { operation_id: operation.id, state: 'OPERATION_ERROR', message });
}

/** Counts an operation in a state such as `finished`, by type and in total. */
export function countOperationState(ctx: Context, { type }: Pick<OfferOperation, 'type'>, state: string): void {
  count(ctx, `master/operations/${(type ?? 'unknown').toLowerCase()}/${state}`);
  count(ctx, `master/operations/${state}`);
}

export function sendOperationStatus(ctx: Context, framework: Framework, status: OperationStatus): void {
  if (framework.connection?.kind !== 'stream') return;
  sendEvent(ctx, framework, { type: 'UPDATE_OPERATION_STATUS', update_operation_status: { status } });
}

/** Records an operation as applied, and sends it to its agent. */
export function sendOperation(
  ctx: Context,
  framework: Framework | undefined,
  agentId: AgentId,
  info: OfferOperation,
  conversions: readonly ResourceConversion[],
): void {
  const { state } = ctx;
  const before = state.agents.registered.get(agentId);
  if (before === undefined) return;
  const id = randomUuidBytes(state.idRandom) as OperationUuid;
  const agent = applyToTotal(ctx, before, conversions);
  const operationId = info.id === undefined ? undefined : idOf<OperationId>(info.id);
  const status: OperationStatus = {
    ...(info.id === undefined ? {} : { operation_id: info.id }),
    state: 'OPERATION_PENDING',
    agent_id: agent.wireId,
  };
  state.operations.set(id, {
    uuid: id,
    operation: {
      ...(framework === undefined ? {} : { framework_id: framework.wireId }),
      agent_id: agent.wireId,
      info,
      latest_status: status,
      statuses: [],
      uuid: { value: id },
    },
    frameworkId: framework?.id,
    agentId,
    operationId,
    consumed: [],
    speculative: true,
  });
  agent.operations.add(id);
  framework?.operations.add(id);
  if (operationId !== undefined) framework?.operationUuids.set(operationId, id);
  if (framework !== undefined) countOperation(framework, info);
  if (!agent.capabilities.has('RESOURCE_PROVIDER')) return sendCheckpoint(ctx, agent, id);
  send(ctx, agent.pid, {
    name: 'ApplyOperationMessage',
    body: {
      ...(framework === undefined ? {} : { framework_id: framework.wireId }),
      operation_info: mapOperationResources(info, withoutAllocation),
      operation_uuid: { value: id },
      resource_version_uuid: { uuid: { value: agent.resourceVersion ?? '' } },
    },
  });
}

/** Agents do not know of allocations. */
const withoutAllocation = (list: Resources): Resources => list.map((resource) => unallocate([resource])[0] ?? resource);

/** Sends the resulting resources to an older agent, which has no operation messages and therefore reports no status. */
function sendCheckpoint(ctx: Context, agent: Agent, id: OperationUuid): void {
  send(ctx, agent.pid, { name: 'CheckpointResourcesMessage', body: { resources: agent.checkpointedResources } });
  const record = ctx.state.operations.get(id);
  if (record !== undefined) removeOperation(ctx, record);
}

/** The problem if the agent has too many unacknowledged operations for another one. */
export const checkOperationCount = ({ operations }: Agent): string | undefined =>
  overLimit('agentOperations', 'operations of the agent that are not acknowledged', operations.size + 1);

/** Records the operations that an agent reports and this master does not know: an earlier master sent them. */
export function recordReportedOperations(ctx: Context, agent: Agent, operations: readonly Operation[]): void {
  const { state } = ctx;
  let overLimitCount = 0;
  const listed = new Set(operations.map(({ uuid }) => uuid.value));
  for (const id of agent.acknowledgedOperations) if (!listed.has(id)) agent.acknowledgedOperations.delete(id);
  for (const operation of operations) {
    const id = operation.uuid.value as OperationUuid;
    if (state.operations.has(id)) continue;
    if (repeatAcknowledgement(ctx, agent, id, operation.latest_status.uuid?.value)) continue;
    // The agent keeps the operation, resends its updates, and reports it at its next re-registration.
    if (agent.operations.size >= LIMITS.agentOperations.most) {
      overLimitCount++;
      continue;
    }
    const { framework_id, info } = operation;
    const frameworkId = framework_id === undefined ? undefined : idOf<FrameworkId>(framework_id);
    const framework = frameworkId === undefined ? undefined : state.frameworks.get(frameworkId);
    const operationId = info.id === undefined ? undefined : idOf<OperationId>(info.id);
    state.operations.set(id, {
      uuid: id,
      operation: { ...operation, agent_id: agent.wireId },
      frameworkId,
      agentId: agent.id,
      operationId,
      consumed: [],
      speculative: true,
    });
    agent.operations.add(id);
    framework?.operations.add(id);
    // If another agent has an operation with that id, the scheduler's id keeps referring to it.
    if (operationId !== undefined && framework?.operationUuids.has(operationId) === false) {
      framework.operationUuids.set(operationId, id);
    }
  }
  if (overLimitCount === 0) return;
  const problem = overLimit('agentOperations', 'operations', agent.operations.size + overLimitCount);
  warn(ctx, `not listing ${overLimitCount} operations that agent ${agent.id} reports: ${problem}`);
}

function applyToTotal(ctx: Context, agent: Agent, conversions: readonly ResourceConversion[]): Agent {
  const plain = conversions.map(({ consumed, converted }) => ({
    consumed: unallocate(consumed),
    converted: unallocate(converted),
  }));
  const total = applyConversions(agent.totalResources, plain);
  if (!total.ok) return agent;
  return changeAgent(ctx, agent, {
    totalResources: total.value,
    checkpointedResources: total.value.filter(needsCheckpoint),
  });
}

export function removeOperation(ctx: Context, record: OperationRecord): void {
  const { state } = ctx;
  state.operations.delete(record.uuid);
  state.agents.registered.get(record.agentId)?.operations.delete(record.uuid);
  const framework = record.frameworkId === undefined ? undefined : state.frameworks.get(record.frameworkId);
  framework?.operations.delete(record.uuid);
  const { operationId } = record;
  if (operationId === undefined || framework?.operationUuids.get(operationId) !== record.uuid) return;
  framework.operationUuids.delete(operationId);
}

export function hasPendingOperations({ state }: Context, { operations }: Agent): boolean {
  for (const uuid of operations) {
    const record = state.operations.get(uuid);
    if (record !== undefined && !isTerminalOperation(record.operation.latest_status.state)) return true;
  }
  return false;
}

/** Links new frameworks with their operations that agents reported before. One pass for all: a cluster has many operations. */
export function adoptOperations({ state }: Context, ids: ReadonlySet<FrameworkId>): void {
  if (ids.size === 0) return;
  for (const record of state.operations.values()) {
    if (record.frameworkId === undefined || !ids.has(record.frameworkId)) continue;
    const framework = state.frameworks.get(record.frameworkId);
    if (framework === undefined) continue;
    framework.operations.add(record.uuid);
    const { operationId } = record;
    if (operationId === undefined || framework.operationUuids.has(operationId)) continue;
    framework.operationUuids.set(operationId, record.uuid);
  }
}

export function acknowledgeToAgent(ctx: Context, record: OperationRecord, statusUuid: string): void {
  const agent = ctx.state.agents.registered.get(record.agentId);
  if (agent === undefined || !agent.connected) return;
  sendAcknowledgement(ctx, agent, record.uuid, statusUuid);
  const { latest_status, statuses = [] } = record.operation;
  const acknowledged = [...statuses, latest_status].find(({ uuid }) => uuid?.value === statusUuid);
  if (isTerminalOperation(acknowledged?.state)) recordAcknowledged(agent, record.uuid);
}

/** Far more operations than end while an acknowledgement is in flight. */
const MAX_ACKNOWLEDGED_OPERATIONS = 1_000;

function recordAcknowledged({ acknowledgedOperations }: Agent, id: OperationUuid): void {
  acknowledgedOperations.add(id);
  if (acknowledgedOperations.size <= MAX_ACKNOWLEDGED_OPERATIONS) return;
  const [oldest] = acknowledgedOperations;
  acknowledgedOperations.delete(oldest as OperationUuid);
}

/**
 * Acknowledges a terminal status again: the agent sent its message before it received the acknowledgement, which may have been
 * lost with a connection. Returns false for an operation whose terminal status was not acknowledged.
 */
export function repeatAcknowledgement(
  ctx: Context,
  agent: Agent,
  id: OperationUuid,
  statusUuid: string | undefined,
): boolean {
  if (statusUuid === undefined || !agent.acknowledgedOperations.has(id)) return false;
  sendAcknowledgement(ctx, agent, id, statusUuid);
  return true;
}

const sendAcknowledgement = (ctx: Context, agent: Agent, id: OperationUuid, statusUuid: string): void =>
  send(ctx, agent.pid, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: { value: statusUuid }, operation_uuid: { value: id } },
  });

/** For a framework that ended: acknowledges the terminal statuses of its operations now, and later ones when they arrive. */
export function orphanOperations(ctx: Context, framework: Framework): void {
  for (const id of [...framework.operations]) {
    const record = ctx.state.operations.get(id);
    if (record === undefined) continue;
    const { latest_status } = record.operation;
    if (isTerminalOperation(latest_status.state) && latest_status.uuid !== undefined) {
      acknowledgeToAgent(ctx, record, latest_status.uuid.value);
      removeOperation(ctx, record);
    } else {
      ctx.state.operations.set(id, { ...record, operationId: undefined });
    }
  }
}

/** For an agent that is unreachable or gone: sends one status without a uuid per operation, before all other events about it. */
export function reportLostOperations(
  ctx: Context,
  agent: Agent,
  state: 'OPERATION_UNREACHABLE' | 'OPERATION_GONE_BY_OPERATOR',
): void {
  const message = state === 'OPERATION_UNREACHABLE' ? 'Agent is unreachable' : 'Agent has been marked gone';
  for (const id of agent.operations) {
    const record = ctx.state.operations.get(id);
    const framework = record?.frameworkId === undefined ? undefined : ctx.state.frameworks.get(record.frameworkId);
    if (framework === undefined || record?.operationId === undefined) continue;
    sendOperationStatus(ctx, framework, {
      operation_id: { value: record.operationId },
      state,
      message,
      agent_id: agent.wireId,
    });
  }
}

/** Removes the operations of an agent that is deleted; `end`: the state that they are counted in, if any. */
export function removeOperationsOf(
  ctx: Context,
  agent: Agent,
  end: 'unreachable' | 'gone_by_operator' | undefined,
): void {
  for (const id of [...agent.operations]) {
    const record = ctx.state.operations.get(id);
    if (record === undefined) continue;
    if (end !== undefined) countOperationState(ctx, record.operation.info, end);
    removeOperation(ctx, record);
  }
}
