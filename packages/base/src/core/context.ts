// What the handlers of one step share.
import type { Now } from '../time.js';

export interface Context<State, Effect> {
  /** Maps change; the records they hold never do: a change replaces the record. */
  readonly state: State;
  readonly now: Now;
  /** The effects of the step so far. */
  readonly effects: Effect[];
}
