// The context of the handlers of one step.
import type { Now } from '../time.js';

export interface Context<State, Effect> {
  /** Handlers change the Maps, but never a record in them: they replace the record. */
  readonly state: State;
  readonly now: Now;
  /** The effects of the step so far. */
  readonly effects: Effect[];
}
