// The context of the handlers of one step.
import type { Now } from '../time.js';

export interface Context<State, Effect> {
  /** Handlers change the Maps, but never a record in them: they replace the record. */
  readonly state: State;
  readonly now: Now;
  /** The effects of the step so far. */
  readonly effects: Effect[];
  /**
   * The kind of the message or call of a peer that causes the effects; undefined where the core's owner does. The log lines
   * of one cause are limited.
   */
  readonly cause?: string | undefined;
}

/** Work that waits for the store, with the cause of the step that added it. */
export interface CausedWork<Work> {
  readonly work: Work;
  readonly cause: string | undefined;
}
