// Operations on this agent's resources: they make and undo reservations and volumes.
// Mesos: docs/operations.md (feedback), docs/reservation.md, docs/persistent-volume.md.
//
// OPERATIONS-1: an operation and the new total are on disk before its status is sent.
// OPERATIONS-2: a status is sent again after 10 s, 20 s, 40 s ... 10 min until the master acknowledges it.

import type { OperationUuid } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import { applyOperation, needsCheckpoint } from '@meseta/resources';
import type {
  AcknowledgeOperationStatusMessage,
  ApplyOperationMessage,
  OperationStatus,
  ReconcileOperationsMessage,
  ReconcileOperationsMessageOperation,
  UpdateOperationStatusMessage,
} from '@meseta/wire';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { afterCommit, save } from './checkpoint.js';
import { type Context, log, sendToMaster } from './context.js';
import { operationKey, RESOURCES_KEY } from './disk-layout.js';
import { agentIdOf } from './state.js';
import { checkOperation } from './validation.js';
import { changeVolumes } from './volumes.js';

const FIRST_RETRY_MS = 10_000;
const LAST_RETRY_MS = 600_000;

/** Sends the master what a registration does not contain. */
export function updateAgent(ctx: Context): void {
  const { state } = ctx;
  const id = state.info.id;
  if (id === undefined) return;
  const saved = [...state.operations].filter(([uuid]) => !state.unsavedOperations.has(uuid));
  const operations = saved.map(([, { operation }]) => operation);
  sendToMaster(ctx, {
    name: 'UpdateAgentMessage',
    body: {
      agent_id: id,
      update_oversubscribed_resources: state.oversubscribed !== undefined,
      ...(state.oversubscribed === undefined ? {} : { oversubscribed_resources: state.oversubscribed }),
      operations: operations.length === 0 ? {} : { operations },
      resource_version_uuid: { value: state.resourceVersion },
      resource_providers: {},
    },
  });
}

export function applyOperationMessage(ctx: Context, message: ApplyOperationMessage): void {
  const { state } = ctx;
  const uuid = message.operation_uuid.value as OperationUuid;
  if (state.operations.has(uuid)) return;
  if (message.resource_version_uuid.uuid.value !== state.resourceVersion) {
    recordOperation(ctx, message, 'OPERATION_DROPPED', 'The resource version is outdated');
    return;
  }
  const problem = checkOperation(message.operation_info);
  if (problem !== undefined) {
    recordOperation(ctx, message, 'OPERATION_ERROR', problem);
    return;
  }
  const applied = applyOperation(state.total, message.operation_info);
  if (!applied.ok) {
    // The master has applied the operation to its own books: this agent can't go on with other resources than those.
    const text = `operation ${message.operation_info.type} can't be applied to this agent's resources: ${applied.error}`;
    ctx.effects.push({ kind: 'exit', status: 1, message: text });
    return;
  }
  changeVolumes(ctx, state.total, applied.value.resources);
  state.total = applied.value.resources;
  save(ctx, RESOURCES_KEY, { kind: 'resources', resources: state.total.filter(needsCheckpoint) });
  recordOperation(ctx, message, 'OPERATION_FINISHED', undefined);
}

function recordOperation(
  ctx: Context,
  message: ApplyOperationMessage,
  outcome: OperationStatus['state'],
  text: string | undefined,
): void {
  const uuid = message.operation_uuid.value as OperationUuid;
  const agentId = ctx.state.info.id;
  const { id } = message.operation_info;
  const status: OperationStatus = {
    ...(id === undefined ? {} : { operation_id: id }),
    state: outcome,
    ...(text === undefined ? {} : { message: text }),
    uuid: { value: randomUuidBytes(ctx.state.random) },
    ...(agentId === undefined ? {} : { agent_id: agentId }),
  };
  const framework = message.framework_id;
  const update: UpdateOperationStatusMessage = {
    ...(framework === undefined ? {} : { framework_id: framework }),
    ...(agentId === undefined ? {} : { agent_id: agentId }),
    status,
    latest_status: status,
    operation_uuid: message.operation_uuid,
  };
  const record = {
    operation: {
      ...(framework === undefined ? {} : { framework_id: framework }),
      ...(agentId === undefined ? {} : { agent_id: agentId }),
      info: message.operation_info,
      latest_status: status,
      statuses: [status],
      uuid: message.operation_uuid,
    },
    update,
  };
  ctx.state.operations.set(uuid, record);
  save(ctx, operationKey(uuid), { kind: 'operation', record });
  ctx.state.unsavedOperations.add(uuid);
  afterCommit(ctx, { kind: 'sendOperation', uuid });
}

/** OPERATIONS-1: sends the status of an operation that is on disk now. */
export function sendDurableOperation(ctx: Context, uuid: OperationUuid): void {
  ctx.state.unsavedOperations.delete(uuid);
  sendOperation(ctx, uuid);
}

export function sendOperation(ctx: Context, uuid: OperationUuid): void {
  const { state } = ctx;
  if (state.unsavedOperations.has(uuid)) return;
  const update = state.operations.get(uuid)?.update;
  if (update === undefined || !state.registration.registered) return;
  sendToMaster(ctx, { name: 'UpdateOperationStatusMessage', body: update });
  const retryMs = state.operationRetryMs.get(uuid) ?? FIRST_RETRY_MS;
  state.operationRetryMs.set(uuid, Math.min(retryMs * 2, LAST_RETRY_MS));
  setTimer(ctx, { kind: 'resendOperation', uuid }, retryMs);
}

export function resendOperations(ctx: Context): void {
  for (const uuid of ctx.state.operations.keys()) {
    ctx.state.operationRetryMs.delete(uuid);
    sendOperation(ctx, uuid);
  }
}

export function acknowledgeOperation(ctx: Context, message: AcknowledgeOperationStatusMessage): void {
  const uuid = message.operation_uuid.value as OperationUuid;
  const update = ctx.state.operations.get(uuid)?.update;
  if (update?.status.uuid?.value !== message.status_uuid.value) return;
  cancelTimer(ctx, { kind: 'resendOperation', uuid });
  ctx.state.operations.delete(uuid);
  ctx.state.operationRetryMs.delete(uuid);
  ctx.state.unsavedOperations.delete(uuid);
  save(ctx, operationKey(uuid), undefined);
}

/** Answers the master's reconciliation; an operation that is unknown here never arrived. */
export function reconcileOperations(ctx: Context, message: ReconcileOperationsMessage): void {
  const agentId = agentIdOf(ctx.state);
  for (const { operation_uuid, operation_id, resource_provider_id } of message.operations ?? []) {
    if (operation_uuid === undefined) {
      replyUnknownOperation(ctx, message, { operation_id, resource_provider_id });
      continue;
    }
    const uuid = operation_uuid.value as OperationUuid;
    if (ctx.state.operations.has(uuid)) {
      sendOperation(ctx, uuid);
      continue;
    }
    log(ctx, 'info', `the master reconciles operation ${operation_id?.value ?? uuid}, which is unknown here`);
    const agent = agentId === undefined ? {} : { agent_id: { value: agentId } };
    sendToMaster(ctx, {
      name: 'UpdateOperationStatusMessage',
      body: {
        ...(message.framework_id === undefined ? {} : { framework_id: message.framework_id }),
        ...agent,
        status: {
          ...(operation_id === undefined ? {} : { operation_id }),
          // A status without a uuid is not acknowledged, so it is not kept and not sent again.
          state: 'OPERATION_DROPPED',
          ...agent,
        },
        operation_uuid,
      },
    });
  }
}

/** A scheduler reconciles an operation of a resource provider by its operation id; this agent has no providers. */
function replyUnknownOperation(
  ctx: Context,
  { framework_id }: ReconcileOperationsMessage,
  { operation_id, resource_provider_id }: ReconcileOperationsMessageOperation,
): void {
  const agentId = agentIdOf(ctx.state);
  const agent = agentId === undefined ? {} : { agent_id: { value: agentId } };
  sendToMaster(ctx, {
    name: 'UpdateOperationStatusMessage',
    body: {
      ...(framework_id === undefined ? {} : { framework_id }),
      ...agent,
      status: {
        ...(operation_id === undefined ? {} : { operation_id }),
        state: 'OPERATION_UNKNOWN',
        message: 'Reconciliation: Operation is unknown to the agent',
        ...agent,
        ...(resource_provider_id === undefined ? {} : { resource_provider_id }),
      },
    },
  });
}
