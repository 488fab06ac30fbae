// The checks of a decoded call that need no state and that the schema does not make.
import { err, ok, quoted, type Result } from '@meseta/base';
import type { ExecutorCall, SchedulerCall } from '@meseta/wire';
import { isUuid } from '@meseta/wire/uuid';
import { type Refusal, refusal } from './errors.js';
import { executorCalls, schedulerCalls } from './scheduler-calls.js';
import type { CallDefinition } from './types.js';

const invalid = (text: string) => err(refusal('badRequest', text));

/** Returns the definition of the call, if its type is known and its field is set. */
export function checkCall<Call extends { readonly type?: string | undefined }, Definition>(
  table: { readonly [type: string]: Definition },
  call: Call,
): Result<Definition, Refusal> {
  if (call.type === undefined) return invalid("Field 'type' is required but missing or unknown");
  const definition = Object.hasOwn(table, call.type) ? table[call.type] : undefined;
  if (definition === undefined) return err(refusal('notImplemented', `Field 'type': ${call.type} is not a call`));
  const { request, requestOptional } = definition as Pick<
    CallDefinition<Record<string, unknown>, unknown>,
    'request' | 'requestOptional'
  >;
  if (request !== undefined && !requestOptional && (call as Record<string, unknown>)[request] === undefined) {
    return invalid(`Field '${request}' is required by ${call.type} but missing`);
  }
  return ok(definition);
}

/** The value of an id; '' if there is none. */
const idIn = (wrapped: { readonly value: string } | undefined): string => wrapped?.value ?? '';

/**
 * Checks a scheduler's call: its field, the ids that must be equal, and uuids. Of calls other than SUBSCRIBE the framework
 * id is checked first. (Mesos: scheduler HTTP API.)
 */
export function checkSchedulerCall(call: SchedulerCall, principal: string | undefined): Result<undefined, Refusal> {
  if (call.type !== undefined && call.type !== 'SUBSCRIBE' && call.framework_id === undefined) {
    return invalid(`Field 'framework_id' is required by ${call.type} but missing`);
  }
  const definition = checkCall(schedulerCalls, call);
  if (!definition.ok) return definition;
  const problem = problemOf(call, principal);
  return problem === undefined ? ok(undefined) : invalid(problem);
}

function problemOf(call: SchedulerCall, principal: string | undefined): string | undefined {
  switch (call.type) {
    case 'SUBSCRIBE': {
      const info = call.subscribe?.framework_info;
      if (idIn(info?.id) !== idIn(call.framework_id)) return differs('subscribe', info?.id, call);
      if (principal === undefined || info?.principal === undefined || info.principal === principal) return undefined;
      return `Field 'subscribe.framework_info.principal': expected the authenticated principal ${quoted(principal)}, got ${quoted(info.principal)}`;
    }
    case 'UPDATE_FRAMEWORK': {
      const id = call.update_framework?.framework_info.id;
      return idIn(id) === idIn(call.framework_id) ? undefined : differs('update_framework', id, call);
    }
    case 'ACKNOWLEDGE':
      return isUuid(call.acknowledge?.uuid ?? '') ? undefined : notUuid('acknowledge.uuid');
    case 'ACKNOWLEDGE_OPERATION_STATUS': {
      const acknowledged = call.acknowledge_operation_status;
      if (!isUuid(acknowledged?.uuid ?? '')) return notUuid('acknowledge_operation_status.uuid');
      if (acknowledged?.agent_id !== undefined) return undefined;
      return "Field 'acknowledge_operation_status.agent_id' is required but missing";
    }
    default:
      return undefined;
  }
}

/**
 * Checks an executor's call: its field, and the uuid, source, state and executor id of an update. (Mesos: executor HTTP
 * API.)
 */
export function checkExecutorCall(call: ExecutorCall): Result<undefined, Refusal> {
  const definition = checkCall(executorCalls, call);
  if (!definition.ok) return definition;
  const status = call.type === 'UPDATE' ? call.update?.status : undefined;
  if (status === undefined) return ok(undefined);
  const { uuid, source, state, executor_id } = status;
  if (!isUuid(uuid ?? '')) return invalid(notUuid('update.status.uuid'));
  if (source !== 'SOURCE_EXECUTOR') {
    return invalid(`Field 'update.status.source': expected SOURCE_EXECUTOR, got ${source ?? 'nothing'}`);
  }
  if (state === 'TASK_STAGING') return invalid("Field 'update.status.state': an executor may not send TASK_STAGING");
  if (executor_id === undefined || executor_id.value === call.executor_id.value) return ok(undefined);
  const text = `Field 'update.status.executor_id': expected the same as 'executor_id' (${quoted(call.executor_id.value)}), got ${quoted(executor_id.value)}`;
  return invalid(text);
}

const differs = (field: string, id: { readonly value: string } | undefined, call: SchedulerCall): string =>
  `Field '${field}.framework_info.id': expected the same as 'framework_id' (${quoted(idIn(call.framework_id))}), got ${quoted(idIn(id))}`;

const notUuid = (field: string): string =>
  `Field '${field}': expected the 16 bytes of a uuid with a version from 1 to 5`;
