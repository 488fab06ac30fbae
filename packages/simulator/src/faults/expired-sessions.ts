// The election service ends the session of the leading master, as after a pause of its own or by an operator's hand.
// Draws: how long the master does not hear of it.
// Effect: another master is elected while the old one runs on: both believe that they lead. What the old one writes is refused.
// Ends: when the old master hears of it, and ends.
import { wholeBetween } from '../engine/chance.js';
import type { FaultKind } from './fault.js';

export interface ExpiredSession {
  readonly kind: 'expiredSession';
  readonly hearsAfterMs: number;
}

const LONGEST_MS = 20_000;

export const expiredSession: FaultKind<ExpiredSession> = {
  name: 'expiredSession',
  share: 0.23,
  draw: (random) => ({ kind: 'expiredSession', hearsAfterMs: wholeBetween(random, 0, LONGEST_MS) }),
  inject: ({ masters }, { hearsAfterMs }) => masters.expireSession(hearsAfterMs),
};
