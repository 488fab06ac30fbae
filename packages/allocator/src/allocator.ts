import type { Random } from '@meseta/base';
import type { Allocator, AllocatorOptions } from './types.js';

export declare function createAllocator(options: AllocatorOptions, random: Random): Allocator;
