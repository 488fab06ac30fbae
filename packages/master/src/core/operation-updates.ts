// Forwards operation statuses from agents to schedulers, and acknowledgements back. An agent resends a status until it is
// acknowledged.
import { type AgentId, type FrameworkId, idOf, type OperationId, type OperationUuid, type Pid } from '@meseta/base';
import type { SchedulerCallAcknowledgeOperationStatus, UpdateOperationStatusMessage } from '@meseta/wire';
import { isTerminalOperation } from '@meseta/wire/task-states';
import { completeDrainIfEmpty } from './agents/drain.js';
import { requestReregistration } from './agents/records.js';
import { type Context, count, send, warn } from './context.js';
import {
  acknowledgeToAgent,
  countOperationState,
  hasPendingOperations,
  removeOperation,
  repeatAcknowledgement,
  sendOperationStatus,
} from './operation-records.js';
import type { Agent, Framework, OperationRecord } from './state.js';
import { latestStatuses } from './tasks.js';

function endOperation(ctx: Context, record: OperationRecord): void {
  removeOperation(ctx, record);
  completeDrainIfEmpty(ctx, record.agentId);
}

/** Records an agent's status and forwards it. If no framework waits for it, the master acknowledges it. */
export function operationStatusUpdate(ctx: Context, from: Pid, message: UpdateOperationStatusMessage): void {
  count(ctx, 'master/messages_operation_status_update');
  const { state } = ctx;
  const id = message.operation_uuid?.value as OperationUuid | undefined;
  const record = id === undefined ? undefined : state.operations.get(id);
  const agentId = record?.agentId ?? message.agent_id?.value;
  const agent = agentId === undefined ? undefined : state.agents.registered.get(agentId as AgentId);
  if (agent?.pid !== from) {
    count(ctx, 'master/invalid_operation_status_updates');
    return warn(
      ctx,
      `ignoring ${message.status.state} of an operation from ${from}: agent ${agentId} is not at that pid`,
    );
  }
  if (record === undefined) {
    if (id === undefined || !repeatAcknowledgement(ctx, agent, id, message.status.uuid?.value))
      handleUnknownOperation(ctx, agent, message);
    return;
  }
  const latest = message.latest_status ?? message.status;
  const { operation } = record;
  const was = operation.latest_status.state;
  const seen = operation.statuses?.some(({ uuid: known }) => known?.value === message.status.uuid?.value) === true;
  const updated: OperationRecord = {
    ...record,
    operation: {
      ...operation,
      latest_status: isTerminalOperation(was) ? operation.latest_status : latest,
      statuses: seen ? (operation.statuses ?? []) : [...latestStatuses(operation.statuses ?? []), message.status],
    },
  };
  state.operations.set(record.uuid, updated);
  if (!isTerminalOperation(was) && isTerminalOperation(latest.state)) {
    countOperationState(ctx, operation.info, latest.state.toLowerCase().replace('operation_', ''));
    reregisterAfterLastOperation(ctx, agent);
  }
  count(ctx, 'master/valid_operation_status_updates');
  const framework = record.frameworkId === undefined ? undefined : state.frameworks.get(record.frameworkId);
  if (framework !== undefined && record.operationId !== undefined) {
    // An agent that never received the operation reports it without its id.
    sendOperationStatus(ctx, framework, { ...message.status, operation_id: { value: record.operationId } });
    // Without a uuid it will not be acknowledged.
    if (isTerminalOperation(latest.state) && latest.uuid === undefined) endOperation(ctx, updated);
    return;
  }
  if (record.operationId !== undefined && mayStillSubscribe(ctx, agent, record.frameworkId)) return;
  if (message.status.uuid !== undefined) acknowledgeToAgent(ctx, updated, message.status.uuid.value);
  if (isTerminalOperation(latest.state)) endOperation(ctx, updated);
}

/** The agent's reported resources may lack the results of its operations, so it re-registers after the last of them. */
function reregisterAfterLastOperation(ctx: Context, agent: Agent): void {
  if (agent.reregisteredWithOperationsInFlight && !hasPendingOperations(ctx, agent)) requestReregistration(ctx, agent);
}

/** How long after the registration of an agent its frameworks may still subscribe to this master. */
const SUBSCRIBE_GRACE_MS = 600_000;

/** Whether a framework that is unknown to this master may still subscribe. Until then the agent resends its statuses. */
function mayStillSubscribe(ctx: Context, agent: Agent, id: FrameworkId | undefined): boolean {
  const { frameworks, completedFrameworks } = ctx.state;
  if (id === undefined || frameworks.has(id) || completedFrameworks.has(id)) return false;
  return ctx.now.wallMs < (agent.reregisteredAtMs ?? agent.registeredAtMs) + SUBSCRIBE_GRACE_MS;
}

/** A status of an operation that this master does not know. It is acknowledged, or the agent would resend it without end. */
function handleUnknownOperation(ctx: Context, agent: Agent, message: UpdateOperationStatusMessage): void {
  const { status, operation_uuid } = message;
  const id = message.framework_id === undefined ? undefined : idOf<FrameworkId>(message.framework_id);
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(id);
  // A status without the operation's uuid is the answer to a reconciliation.
  if (operation_uuid !== undefined) count(ctx, 'master/invalid_operation_status_updates');
  if (framework !== undefined && status.operation_id !== undefined) {
    const known = framework.operationUuids.get(idOf<OperationId>(status.operation_id));
    const record = known === undefined ? undefined : ctx.state.operations.get(known);
    if (record === undefined || record.agentId === agent.id) return sendOperationStatus(ctx, framework, status);
    count(ctx, 'master/invalid_operation_status_updates');
    const what = `${status.state} of operation ${status.operation_id.value}`;
    return warn(ctx, `ignoring ${what} from agent ${agent.id}: the operation is on agent ${record.agentId}`);
  }
  if (operation_uuid === undefined || status.uuid === undefined) return;
  if (status.operation_id !== undefined && mayStillSubscribe(ctx, agent, id)) return;
  send(ctx, agent.pid, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: status.uuid, operation_uuid },
  });
}

/** A scheduler's acknowledgement, which names the agent. */
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
  const acknowledged = record.operation.statuses?.find(({ uuid }) => uuid?.value === call.uuid);
  if (acknowledged === undefined) {
    // Mesos counts it with the acknowledgements of status updates of tasks.
    count(ctx, 'master/invalid_status_update_acknowledgements');
    return warn(ctx, `dropping an acknowledgement of operation ${call.operation_id.value}: it has no such status`);
  }
  count(ctx, 'master/valid_operation_status_update_acknowledgements');
  acknowledgeToAgent(ctx, record, call.uuid);
  if (isTerminalOperation(acknowledged.state)) endOperation(ctx, record);
}
