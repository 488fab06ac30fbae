// Types and small functions. The codecs are in `@meseta/wire/codecs`; nothing here loads them.
export type * from '../generated/types.js';
export type { Codec } from './codec.js';
export type * from './libprocess.js';
export { renderWireError } from './wire-error.js';
