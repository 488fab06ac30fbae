export * from './agent-calls.js';
export * from './client.js';
export * from './endpoints.js';
export * from './master-calls.js';
export * from './router.js';
export * from './scheduler-calls.js';
export * from './transport.js';
export * from './types.js';
