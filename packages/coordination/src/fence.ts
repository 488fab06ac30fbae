// The rule of fencing of every store (STORE-2).
import { err, ok, type Result } from '@meseta/base';
import type { Fenced } from './local-store.js';

/** Refuses an epoch that is older than the newest one. */
export const checkEpoch = (epoch: number, newest: number): Result<void, Fenced> =>
  epoch < newest ? err({ code: 'fenced', epoch, newest }) : ok(undefined);
