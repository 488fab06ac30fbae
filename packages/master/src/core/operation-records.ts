// Operations in the master's books: begun here, learned from agents, adopted by frameworks, taken off. Keeps MASTER-STATE-1.
//
// An operation is listed until its terminal status has been acknowledged; the master acknowledges by itself where nobody
// waits (no id, an operator's, a framework that ended).
import {
  type AgentId,
  type FrameworkId,
  idOf,
  LIMITS,
  type OperationId,
  type OperationUuid,
  overLimit,
  uuid,
} from '@meseta/base';
import { applyConversions, needsCheckpoint, type ResourceConversion, unallocate } from '@meseta/resources';
import type { OfferOperation, Operation, OperationStatus } from '@meseta/wire';
import { isTerminalOperation } from '@meseta/wire/task-states';
import { changeAgent } from './agents/records.js';
import { bytesOfUuid } from './bytes.js';
import { type Context, count, send, warn } from './context.js';
import { countOperation } from './counters.js';
import { sendEvent } from './events.js';
import { withoutAllocation } from './operations/without-allocation.js';
import type { Agent, Framework, OperationRecord } from './state.js';

/** An error that the master found: told if the operation has an id and the framework came by HTTP, else silent. */
export function operationError(ctx: Context, framework: Framework, operation: OfferOperation, message: string): void {
  warn(ctx, `${operation.type} of framework ${framework.id}: ${message}`);
  countOperationState(ctx, operation, 'error');
  if (operation.id === undefined) return;
  tell(ctx, framework, { operation_id: operation.id, state: 'OPERATION_ERROR', message });
}

/** Adds to the slots of operations that came to that end, of their type and of all. */
export function countOperationState(ctx: Context, { type }: Pick<OfferOperation, 'type'>, end: string): void {
  count(ctx, `master/operations/${(type ?? 'unknown').toLowerCase()}/${end}`);
  count(ctx, `master/operations/${end}`);
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
  const id = bytesOfUuid(uuid(state.idRandom)) as OperationUuid;
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
  if (framework !== undefined) countOperation(framework, info);
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

/** Why the agent can't be sent another operation: too many wait for the acknowledgement of their end. */
export const checkOperationCount = ({ operations }: Agent): string | undefined =>
  overLimit('agentOperations', 'operations of the agent that are not acknowledged', operations.size + 1);

/** Books what an agent has under way and this master doesn't know: it was begun under another one. */
export function learnOperations(ctx: Context, agent: Agent, operations: readonly Operation[]): void {
  const { state } = ctx;
  let unlisted = 0;
  for (const operation of operations) {
    const id = operation.uuid.value as OperationUuid;
    if (state.operations.has(id)) continue;
    // The agent keeps it, sends its updates again, and reports it with its next registration.
    if (agent.operations.size >= LIMITS.agentOperations.most) {
      unlisted++;
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
    // Another agent's of that id stays what the scheduler means by it.
    if (operationId !== undefined && framework?.operationUuids.has(operationId) === false) {
      framework.operationUuids.set(operationId, id);
    }
  }
  if (unlisted === 0) return;
  const problem = overLimit('agentOperations', 'operations', agent.operations.size + unlisted);
  warn(ctx, `not listing ${unlisted} operations that agent ${agent.id} reports: ${problem}`);
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

export const hasPendingOperations = (ctx: Context, agent: Agent): boolean =>
  [...agent.operations].some((uuid) => {
    const pending = ctx.state.operations.get(uuid);
    return pending !== undefined && !isTerminalOperation(pending.operation.latest_status.state);
  });

/** A framework subscribes that agents' operations were begun by. */
export function adoptOperations(ctx: Context, framework: Framework): void {
  for (const record of ctx.state.operations.values()) {
    if (record.frameworkId !== framework.id) continue;
    framework.operations.add(record.uuid);
    const { operationId } = record;
    if (operationId === undefined || framework.operationUuids.has(operationId)) continue;
    framework.operationUuids.set(operationId, record.uuid);
  }
}

export function acknowledgeTo(ctx: Context, record: OperationRecord, statusUuid: string): void {
  const agent = ctx.state.agents.registered.get(record.agentId);
  if (agent === undefined || !agent.connected) return;
  send(ctx, agent.pid, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: { value: statusUuid }, operation_uuid: { value: record.uuid } },
  });
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

/** The agent is lost or gone: one status without a uuid, before anything else is told of the agent. */
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
    tell(ctx, framework, { operation_id: { value: record.operationId }, state, message, agent_id: agent.wireId });
  }
}

/** Operations of an agent that leaves; `end`: what they are counted as, where they are. */
export function forgetOperations(
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
