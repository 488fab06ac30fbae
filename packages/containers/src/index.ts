export { type Containerizer, createContainerizer } from './containerizer.js';
export type { FetcherMetrics } from './fetcher/fetcher.js';
export type * from './types.js';
