// The v1 calls of schedulers and executors (mesos.v1.scheduler, mesos.v1.executor; Mesos: docs/scheduler-http-api.md,
// docs/executor-http-api.md). Both answer SUBSCRIBE with a stream and every other call with a status alone.
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
  TEARDOWN: { access: 'changes', summary: 'Ends the framework and its tasks.' },
  ACCEPT: { access: 'changes', request: 'accept', summary: 'Uses offers: launches tasks, reserves, creates volumes.' },
  DECLINE: { access: 'changes', request: 'decline', summary: 'Gives offers back.' },
  ACCEPT_INVERSE_OFFERS: {
    access: 'changes',
    request: 'accept_inverse_offers',
    summary: 'Agrees to leave agents before their maintenance.',
  },
  DECLINE_INVERSE_OFFERS: {
    access: 'changes',
    request: 'decline_inverse_offers',
    summary: 'Says that it will not leave.',
  },
  REVIVE: { access: 'changes', summary: 'Wants offers again, filters forgotten.' },
  KILL: { access: 'changes', request: 'kill', summary: 'Ends a task.' },
  SHUTDOWN: { access: 'changes', request: 'shutdown', summary: 'Ends an executor and its tasks.' },
  ACKNOWLEDGE: { access: 'changes', request: 'acknowledge', summary: 'Confirms a status update.' },
  ACKNOWLEDGE_OPERATION_STATUS: {
    access: 'changes',
    request: 'acknowledge_operation_status',
    summary: "Confirms an operation's status.",
  },
  RECONCILE: { access: 'changes', request: 'reconcile', summary: 'Asks for the states of tasks.' },
  RECONCILE_OPERATIONS: {
    access: 'changes',
    request: 'reconcile_operations',
    summary: 'Asks for the states of operations.',
  },
  MESSAGE: { access: 'changes', request: 'message', summary: 'Sends bytes to an executor.' },
  REQUEST: { access: 'changes', request: 'request', summary: 'Asks for resources; taken and ignored.' },
  SUPPRESS: { access: 'changes', summary: 'Wants no offers for now.' },
  UPDATE_FRAMEWORK: { access: 'changes', request: 'update_framework', summary: "Changes the framework's info." },
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
  HEARTBEAT: { access: 'changes', summary: 'Shows that the connection lives.' },
} as const satisfies CallTable<ExecutorCallType, ExecutorCall, never>;
