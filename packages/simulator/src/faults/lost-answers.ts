// The answer to a write of the registry is lost after the write was made.
// Draws: nothing.
// Effect: the master cannot know whether its next write was made, and ends. The next leader finds it.
// Ends: with the next write, and at the end of the fault phase.
import type { FaultKind } from './fault.js';

export interface LostAnswer {
  readonly kind: 'lostAnswer';
}

export const lostAnswer: FaultKind<LostAnswer> = {
  name: 'lostAnswer',
  share: 0.23,
  draw: () => ({ kind: 'lostAnswer' }),
  inject({ masters: { store } }) {
    store.losesNextResponse = true;
    return true;
  },
  heal({ masters: { store } }) {
    store.losesNextResponse = false;
  },
};
