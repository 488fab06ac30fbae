export type * from '../generated/types.js';
export type * from './libprocess.js';
