// What frameworks and tools are written with.

export type * from '@meseta/wire';
export type { Credential } from './addresses.js';
export { MesetaError, type MesetaErrorCode } from './errors.js';
export { type AgentClient, connectAgent, connectMaster, type MasterClient } from './operator.js';
export { connectScheduler, type FrameworkOptions, type Scheduler, type SchedulerOptions } from './scheduler.js';
export { commandTask, fits, isTerminal, launch, scalar, type TaskOptions } from './tasks.js';
