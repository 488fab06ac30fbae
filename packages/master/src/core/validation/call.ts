// Checks that a scheduler call has its required fields.
import { overLimit } from '@meseta/base';
import type { OfferOperation, SchedulerCall, SchedulerCallType } from '@meseta/wire';
import { isUuid } from '@meseta/wire/uuid';
import type { Problem } from './problem.js';

/** The required field by type of call; undefined: none. */
const BODIES = {
  SUBSCRIBE: 'subscribe',
  TEARDOWN: undefined,
  ACCEPT: 'accept',
  DECLINE: 'decline',
  ACCEPT_INVERSE_OFFERS: 'accept_inverse_offers',
  DECLINE_INVERSE_OFFERS: 'decline_inverse_offers',
  REVIVE: undefined,
  KILL: 'kill',
  SHUTDOWN: 'shutdown',
  ACKNOWLEDGE: 'acknowledge',
  ACKNOWLEDGE_OPERATION_STATUS: 'acknowledge_operation_status',
  RECONCILE: 'reconcile',
  RECONCILE_OPERATIONS: 'reconcile_operations',
  MESSAGE: 'message',
  REQUEST: 'request',
  SUPPRESS: undefined,
  UPDATE_FRAMEWORK: 'update_framework',
} as const satisfies Partial<Record<SchedulerCallType, keyof SchedulerCall | undefined>>;

const isKnown = (type: string | undefined): type is keyof typeof BODIES => type !== undefined && type in BODIES;

export function checkCall(call: SchedulerCall, principal: string | undefined): Problem {
  const { type } = call;
  if (!isKnown(type)) return `type: expected a type of call, got ${type ?? 'none'}`;
  const body = BODIES[type];
  if (body !== undefined && call[body] === undefined) return `${body}: is missing, expected for a call of type ${type}`;
  if (call.subscribe !== undefined && type === 'SUBSCRIBE') return checkSubscribe(call, principal);
  if (call.framework_id === undefined) return 'framework_id: is missing';
  if (type === 'ACKNOWLEDGE' && !isUuid(call.acknowledge?.uuid ?? '')) return uuidProblem('acknowledge');
  if (type === 'ACKNOWLEDGE_OPERATION_STATUS') {
    if (!isUuid(call.acknowledge_operation_status?.uuid ?? '')) return uuidProblem('acknowledge_operation_status');
    if (call.acknowledge_operation_status?.agent_id === undefined) {
      return 'acknowledge_operation_status.agent_id: is missing';
    }
  }
  if (type === 'ACCEPT') return checkAccept(call.accept?.operations ?? []);
  if (type === 'UPDATE_FRAMEWORK' && call.update_framework?.framework_info.id?.value !== call.framework_id.value) {
    return 'update_framework.framework_info.id: differs from framework_id';
  }
  return undefined;
}

/** Limits the operations and tasks of a call, because all are performed in one step. */
function checkAccept(operations: readonly OfferOperation[]): Problem {
  const tooMany = overLimit('acceptedOperations', 'accept.operations', operations.length);
  if (tooMany !== undefined) return tooMany;
  let tasks = 0;
  for (const { launch, launch_group } of operations) {
    tasks += (launch?.task_infos ?? []).length + (launch_group?.task_group.tasks ?? []).length;
  }
  return overLimit('acceptedTasks', 'accept.operations: the tasks of all', tasks);
}

const uuidProblem = (field: string): Problem =>
  `${field}.uuid: expected the 16 bytes of a uuid with a version from 1 to 5`;

/** An id with an empty value counts as unset. */
const idText = (id: { readonly value: string } | undefined): string => id?.value ?? '';

function checkSubscribe({ subscribe, framework_id }: SchedulerCall, principal: string | undefined): Problem {
  const info = subscribe?.framework_info;
  if (idText(info?.id) !== idText(framework_id)) return 'framework_id: differs from subscribe.framework_info.id';
  if (principal !== undefined && info?.principal !== undefined && info.principal !== principal) {
    return `subscribe.framework_info.principal: expected '${principal}', as authenticated, got '${info.principal}'`;
  }
  return undefined;
}
