// Operations under way: sent to agents, their statuses to schedulers, acknowledgements back.
//
// The agent resends a status until it is acknowledged. An operation is listed until its terminal status has been; the
// master acknowledges by itself where nobody waits (no id, an operator's, a framework that ended).
import {
  type AgentId,
  type FrameworkId,
  idOf,
  type OperationId,
  type OperationUuid,
  type Pid,
  uuid,
} from '@meseta/base';
import { applyConversions, needsCheckpoint, type ResourceConversion, unallocate } from '@meseta/resources';
import type {
  OfferOperation,
  Operation,
  OperationStatus,
  SchedulerCallAcknowledgeOperationStatus,
  UpdateOperationStatusMessage,
} from '@meseta/wire';
import { drainedIfEmpty } from './agents/drain.js';
import { changeAgent } from './agents/records.js';
import { bytesOfUuid } from './bytes.js';
import { type Context, count, send, warn } from './context.js';
import { sendEvent } from './events.js';
import { withoutAllocation } from './operations/without-allocation.js';
import type { Agent, Framework, OperationRecord } from './state.js';
import { isTerminalOperation } from './task-states.js';

/** An error that the master found: told if the operation has an id, else silent. */
export function operationError(ctx: Context, framework: Framework, operation: OfferOperation, message: string): void {
  warn(ctx, `${operation.type} of framework ${framework.id}: ${message}`);
  count(ctx, `master/operations/${(operation.type ?? 'unknown').toLowerCase()}/error`);
  count(ctx, 'master/operations/error');
  if (operation.id === undefined) return;
  if (framework.connection?.kind === 'pid') {
    return sendEvent(ctx, framework, { type: 'ERROR', error: { message } });
  }
  tell(ctx, framework, { operation_id: operation.id, state: 'OPERATION_ERROR', message });
}

export function tell(ctx: Context, framework: Framework, status: OperationStatus): void {
  if (framework.connection?.kind !== 'stream') return;
  sendEvent(ctx, framework, { type: 'UPDATE_OPERATION_STATUS', update_operation_status: { status } });
}

/** Books an operation that is taken as done, and sends it to its agent. */
export function applyOnAgent(
  ctx: Context,
  framework: Framework | undefined,
  agentId: AgentId,
  info: OfferOperation,
  conversions: readonly ResourceConversion[],
): void {
  const { state } = ctx;
  const before = state.agents.registered.get(agentId);
  if (before === undefined) return;
  const id = bytesOfUuid(uuid(state.random)) as OperationUuid;
  const agent = convertTotal(ctx, before, conversions);
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
  if (!agent.capabilities.has('RESOURCE_PROVIDER')) return sendCheckpoint(ctx, agent, id);
  send(ctx, agent.pid, {
    name: 'ApplyOperationMessage',
    body: {
      ...(framework === undefined ? {} : { framework_id: framework.wireId }),
      operation_info: withoutAllocation(info),
      operation_uuid: { value: id },
      resource_version_uuid: { uuid: { value: agent.resourceVersion ?? '' } },
    },
  });
}

/** Agents from before operations were messages are told the result and never answer. */
function sendCheckpoint(ctx: Context, agent: Agent, id: OperationUuid): void {
  send(ctx, agent.pid, { name: 'CheckpointResourcesMessage', body: { resources: agent.checkpointedResources } });
  const record = ctx.state.operations.get(id);
  if (record !== undefined) removeOperation(ctx, record);
}

/** Books what an agent has under way and this master doesn't know: it was begun under another one. */
export function learnOperations(ctx: Context, agent: Agent, operations: readonly Operation[]): void {
  const { state } = ctx;
  for (const operation of operations) {
    const id = operation.uuid.value as OperationUuid;
    if (state.operations.has(id)) continue;
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
    if (operationId !== undefined) framework?.operationUuids.set(operationId, id);
  }
}

function convertTotal(ctx: Context, agent: Agent, conversions: readonly ResourceConversion[]): Agent {
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

function removeOperation(ctx: Context, record: OperationRecord): void {
  const { state } = ctx;
  state.operations.delete(record.uuid);
  state.agents.registered.get(record.agentId)?.operations.delete(record.uuid);
  const framework = record.frameworkId === undefined ? undefined : state.frameworks.get(record.frameworkId);
  framework?.operations.delete(record.uuid);
  if (record.operationId !== undefined) framework?.operationUuids.delete(record.operationId);
}

function endOperation(ctx: Context, record: OperationRecord): void {
  removeOperation(ctx, record);
  drainedIfEmpty(ctx, record.agentId);
}

/** An agent's: taken over, passed on; acknowledged here if nobody waits for it. */
export function operationStatusUpdate(ctx: Context, from: Pid, message: UpdateOperationStatusMessage): void {
  count(ctx, 'master/messages_operation_status_update');
  const { state } = ctx;
  const id = message.operation_uuid?.value as OperationUuid | undefined;
  const record = id === undefined ? undefined : state.operations.get(id);
  const agentId = record?.agentId ?? message.agent_id?.value;
  const agent = agentId === undefined ? undefined : state.agents.registered.get(agentId as AgentId);
  if (agent?.pid !== from) {
    count(ctx, 'master/invalid_operation_status_updates');
    return warn(ctx, `ignoring ${message.status.state} of an operation from ${from}: agent ${agentId} is not there`);
  }
  if (record === undefined) return unknownOperation(ctx, agent, message);
  const latest = message.latest_status ?? message.status;
  const { operation } = record;
  const was = operation.latest_status.state;
  const seen = operation.statuses?.some(({ uuid: known }) => known?.value === message.status.uuid?.value) === true;
  const updated: OperationRecord = {
    ...record,
    operation: {
      ...operation,
      latest_status: isTerminalOperation(was) ? operation.latest_status : latest,
      statuses: seen ? (operation.statuses ?? []) : [...(operation.statuses ?? []), message.status],
    },
  };
  state.operations.set(record.uuid, updated);
  if (!isTerminalOperation(was) && isTerminalOperation(latest.state)) {
    countOperation(ctx, updated, latest);
    settleTotals(ctx, agent);
  }
  count(ctx, 'master/valid_operation_status_updates');
  const framework = record.frameworkId === undefined ? undefined : state.frameworks.get(record.frameworkId);
  if (framework !== undefined && record.operationId !== undefined) return tell(ctx, framework, message.status);
  if (record.operationId !== undefined && mayComeBack(ctx, agent, record.frameworkId)) return;
  if (message.status.uuid !== undefined) acknowledgeTo(ctx, updated, message.status.uuid.value);
  if (isTerminalOperation(latest.state)) endOperation(ctx, updated);
}

export const hasPendingOperations = (ctx: Context, agent: Agent): boolean =>
  [...agent.operations].some((uuid) => {
    const pending = ctx.state.operations.get(uuid);
    return pending !== undefined && !isTerminalOperation(pending.operation.latest_status.state);
  });

/**
 * The agent's word on its resources crossed operations on their way to it, so the total may lack what they made. With
 * the last of them done it is asked for its word again: a ping that says "not connected" makes it register anew.
 */
function settleTotals(ctx: Context, agent: Agent): void {
  if (!agent.unsettled || hasPendingOperations(ctx, agent)) return;
  changeAgent(ctx, agent, { unsettled: false });
  send(ctx, agent.pid, { name: 'PingAgentMessage', body: { connected: false } }, `slave-observer(${agent.observer})`);
}

function countOperation(ctx: Context, { operation }: OperationRecord, { state }: OperationStatus): void {
  const end = state.toLowerCase().replace('operation_', '');
  count(ctx, `master/operations/${(operation.info.type ?? 'unknown').toLowerCase()}/${end}`);
  count(ctx, `master/operations/${end}`);
}

/** How long a framework that this master has not seen yet is waited for, from its agent's registration. */
const GRACE_MS = 600_000;

/** Whether a framework that is not known, and did not end here, may subscribe yet: the agent resends till then. */
function mayComeBack(ctx: Context, agent: Agent, id: FrameworkId | undefined): boolean {
  const { frameworks, completedFrameworks } = ctx.state;
  if (id === undefined || frameworks.has(id) || completedFrameworks.has(id)) return false;
  return ctx.now.wallMs < (agent.reregisteredAtMs ?? agent.registeredAtMs) + GRACE_MS;
}

/** A framework subscribes that agents' operations were begun by. */
export function adoptOperations(ctx: Context, framework: Framework): void {
  for (const record of ctx.state.operations.values()) {
    if (record.frameworkId !== framework.id) continue;
    framework.operations.add(record.uuid);
    if (record.operationId !== undefined) framework.operationUuids.set(record.operationId, record.uuid);
  }
}

/** Of an operation that this master has forgotten: the agent must not resend it for ever. */
function unknownOperation(ctx: Context, agent: Agent, message: UpdateOperationStatusMessage): void {
  const { status, operation_uuid } = message;
  const id = message.framework_id === undefined ? undefined : idOf<FrameworkId>(message.framework_id);
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(id);
  // Without a uuid it answers a reconciliation.
  if (framework !== undefined && status.operation_id !== undefined) return tell(ctx, framework, status);
  count(ctx, 'master/invalid_operation_status_updates');
  if (operation_uuid === undefined || status.uuid === undefined) return;
  if (status.operation_id !== undefined && mayComeBack(ctx, agent, id)) return;
  send(ctx, agent.pid, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: status.uuid, operation_uuid },
  });
}

function acknowledgeTo(ctx: Context, record: OperationRecord, statusUuid: string): void {
  const agent = ctx.state.agents.registered.get(record.agentId);
  if (agent === undefined || !agent.connected) return;
  send(ctx, agent.pid, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: { value: statusUuid }, operation_uuid: { value: record.uuid } },
  });
}

/** A scheduler's acknowledgement; the call carries an agent id. */
export function acknowledgeOperation(
  ctx: Context,
  framework: Framework,
  call: SchedulerCallAcknowledgeOperationStatus,
): void {
  count(ctx, 'master/messages_operation_status_update_acknowledgement');
  const id = framework.operationUuids.get(idOf<OperationId>(call.operation_id));
  const record = id === undefined ? undefined : ctx.state.operations.get(id);
  const agent = record === undefined ? undefined : ctx.state.agents.registered.get(record.agentId);
  if (record === undefined || agent?.connected !== true || agent.id !== call.agent_id?.value) {
    count(ctx, 'master/invalid_operation_status_update_acknowledgements');
    return warn(
      ctx,
      `dropping an acknowledgement of operation ${call.operation_id.value} of framework ${framework.id}`,
    );
  }
  count(ctx, 'master/valid_operation_status_update_acknowledgements');
  acknowledgeTo(ctx, record, call.uuid);
  const { latest_status } = record.operation;
  if (isTerminalOperation(latest_status.state) && latest_status.uuid?.value === call.uuid) endOperation(ctx, record);
}

/** The framework ended: nobody waits any more. */
export function orphanOperations(ctx: Context, framework: Framework): void {
  for (const id of [...framework.operations]) {
    const record = ctx.state.operations.get(id);
    if (record === undefined) continue;
    const { latest_status } = record.operation;
    if (isTerminalOperation(latest_status.state) && latest_status.uuid !== undefined) {
      acknowledgeTo(ctx, record, latest_status.uuid.value);
      removeOperation(ctx, record);
    } else {
      ctx.state.operations.set(id, { ...record, operationId: undefined });
    }
  }
}

/** The agent is lost or gone: one status without a uuid, then they are forgotten. */
export function loseOperations(
  ctx: Context,
  agent: Agent,
  state: 'OPERATION_UNREACHABLE' | 'OPERATION_GONE_BY_OPERATOR',
): void {
  for (const id of [...agent.operations]) {
    const record = ctx.state.operations.get(id);
    if (record === undefined) continue;
    removeOperation(ctx, record);
    const framework = record.frameworkId === undefined ? undefined : ctx.state.frameworks.get(record.frameworkId);
    if (framework === undefined || record.operationId === undefined) continue;
    tell(ctx, framework, { operation_id: { value: record.operationId }, state, agent_id: agent.wireId });
  }
}
