export { type Formats, openEnvironment, reasonOf } from './environment.js';
export { openLmdbStore } from './lmdb-store.js';
export { createLocalCoordination } from './local-coordination.js';
export type * from './local-store.js';
export { createMemoryStore } from './memory-store.js';
export type * from './types.js';
