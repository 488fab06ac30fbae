export { createFetcher, type Fetcher, type FetcherMetrics, type FetcherOptions } from './fetcher/fetcher.js';
export { createPosixContainers, type PosixContainers, type PosixOptions } from './posix.js';
export { type RotationLimits, rotate, rotateSandbox } from './rotation.js';
export { createSandbox, createStreams, diskFullness, diskUsage, removeTree, sandboxAgeMs } from './sandbox.js';
export type * from './types.js';
