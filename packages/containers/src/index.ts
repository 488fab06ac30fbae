export type { FetcherMetrics } from './fetcher/fetcher.js';
export { createPosixContainers } from './posix.js';
export type * from './types.js';
