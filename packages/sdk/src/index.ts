// The public API for frameworks and tools.

export {
  type AgentClient,
  bodyOf,
  type CallError,
  type EventStream,
  type ExplainedReason,
  type ExplainRequest,
  type Explanation,
  fetchTransport,
  type IncomingResponse,
  type KillTaskRequest,
  type MasterClient,
} from '@meseta/api';
export type * from '@meseta/wire';
export { scalarSum } from '@meseta/wire/scalars';
export { isTerminal } from '@meseta/wire/task-states';
export { authorizationOf, type Credential } from './addresses.js';
export { MesetaError, type MesetaErrorCode } from './errors.js';
export { connectAgent, connectMaster } from './operator.js';
export { connectScheduler, type FrameworkOptions, type Scheduler, type SchedulerOptions } from './scheduler.js';
export { commandTask, fits, launch, scalar, type TaskOptions } from './tasks.js';
