// What is small: declarations, checks, the router. The clients load codecs and stand by themselves:
// `@meseta/api/master-client`, `@meseta/api/agent-client`.
export * from './agent-calls.js';
export * from './check-call.js';
export type * from './client.js';
export * from './endpoints.js';
export * from './errors.js';
export * from './jsonp.js';
export * from './master-calls.js';
export * from './negotiate.js';
export * from './router.js';
export * from './scheduler-calls.js';
export * from './transport.js';
export * from './types.js';
