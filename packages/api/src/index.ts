// A bundle has only the exports that it uses, so clients and their codecs are omitted from programs that do not use them.

export * from './agent-calls.js';
export * from './agent-client.js';
export * from './check-call.js';
export type * from './client.js';
export * from './components.js';
export * from './endpoints.js';
export * from './errors.js';
export * from './extension-codecs.js';
export * from './extensions.js';
export * from './help.js';
export * from './jsonp.js';
export * from './master-calls.js';
export * from './master-client.js';
export * from './metrics.js';
export * from './negotiate.js';
export * from './openapi.js';
export * from './prometheus.js';
export * from './router.js';
export * from './scheduler-calls.js';
export * from './transport.js';
export * from './types.js';
