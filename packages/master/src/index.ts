export { createMaster, type Master } from './core/step.js';
export type { MasterConfig } from './shell/configuration.js';
export { masterMain } from './shell/main.js';
export { type RunningMaster, type StartError, startMaster } from './shell/start.js';
