export { createFetcher, type Fetcher, type FetcherMetrics, type FetcherOptions } from './fetcher/fetcher.js';
export { createPosixContainers, type PosixContainers, type PosixOptions } from './posix.js';
export { type RotationLimits, rotate, rotateSandbox } from './rotation.js';
export { createStreams, diskFullness, makeSandbox, openSandbox } from './sandbox.js';
export { diskUsage, emptyDirectory, removeTree } from './trees.js';
export type * from './types.js';
