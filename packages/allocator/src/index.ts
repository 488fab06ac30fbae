export { createAllocator } from './allocator.js';
export * from './constraints.js';
export * from './types.js';
