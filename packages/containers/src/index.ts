export type { FetcherMetrics } from './fetcher/fetcher.js';
export { createPosixContainers } from './launchers/posix/posix.js';
export type * from './types.js';
