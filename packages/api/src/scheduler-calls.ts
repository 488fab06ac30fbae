// The v1 calls of schedulers and executors (mesos.v1.scheduler, mesos.v1.executor; Mesos: docs/scheduler-http-api.md,
// docs/executor-http-api.md). The response of SUBSCRIBE is a stream; other calls have only a status.
import type { ExecutorCall, ExecutorCallType, SchedulerCall, SchedulerCallType } from '@meseta/wire';
import type { CallTable } from './types.js';

export const schedulerCalls = {
  SUBSCRIBE: {
    access: 'changes',
    request: 'subscribe',
    response: 'stream',
    action: 'REGISTER_FRAMEWORK',
    summary: 'Registers the framework and opens its events.',
  },
  TEARDOWN: { access: 'changes', summary: 'Removes the framework and kills its tasks.' },
  ACCEPT: {
    access: 'changes',
    request: 'accept',
    summary: 'Accepts offers with operations: launch tasks, reserve resources, create volumes.',
  },
  DECLINE: { access: 'changes', request: 'decline', summary: 'Declines offers.' },
  ACCEPT_INVERSE_OFFERS: {
    access: 'changes',
    request: 'accept_inverse_offers',
    summary: 'Accepts inverse offers: the framework will release the agents before maintenance.',
  },
  DECLINE_INVERSE_OFFERS: {
    access: 'changes',
    request: 'decline_inverse_offers',
    summary: 'Declines inverse offers.',
  },
  REVIVE: { access: 'changes', summary: 'Requests offers again and removes filters.' },
  KILL: { access: 'changes', request: 'kill', summary: 'Kills a task.' },
  SHUTDOWN: { access: 'changes', request: 'shutdown', summary: 'Shuts an executor and its tasks down.' },
  ACKNOWLEDGE: { access: 'changes', request: 'acknowledge', summary: 'Acknowledges a status update.' },
  ACKNOWLEDGE_OPERATION_STATUS: {
    access: 'changes',
    request: 'acknowledge_operation_status',
    summary: "Acknowledges an operation's status.",
  },
  RECONCILE: { access: 'changes', request: 'reconcile', summary: 'Requests the states of tasks.' },
  RECONCILE_OPERATIONS: {
    access: 'changes',
    request: 'reconcile_operations',
    summary: 'Requests the states of operations.',
  },
  MESSAGE: { access: 'changes', request: 'message', summary: 'Sends bytes to an executor.' },
  REQUEST: { access: 'changes', request: 'request', summary: 'Requests resources; accepted and ignored.' },
  SUPPRESS: { access: 'changes', summary: 'Suppresses offers.' },
  UPDATE_FRAMEWORK: { access: 'changes', request: 'update_framework', summary: "Updates the framework's info." },
} as const satisfies CallTable<SchedulerCallType, SchedulerCall, never>;

export const executorCalls = {
  SUBSCRIBE: {
    access: 'changes',
    request: 'subscribe',
    response: 'stream',
    summary: 'Registers the executor and opens its events.',
  },
  UPDATE: { access: 'changes', request: 'update', summary: 'Reports the state of a task.' },
  MESSAGE: { access: 'changes', request: 'message', summary: 'Sends bytes to the scheduler.' },
  HEARTBEAT: { access: 'changes', summary: 'Keeps the connection alive.' },
} as const satisfies CallTable<ExecutorCallType, ExecutorCall, never>;
