// The interface of a core to its owner. The owner (a shell, the simulator) feeds inputs, performs effects and reads the
// state. Only the handlers of the core get a `Context` (context.ts), through which they change the state.
//
// MACHINE-1: a machine keeps nothing outside its state: a machine that is made from a copy of the state has the same
//     effects for the same inputs at the same times.
import type { Now } from '../time.js';
import type { Context } from './context.js';

/** The part of a machine that a loop drives. */
export interface Steps<Input, Effect> {
  /** Handles one input and returns its effects, which the owner performs after the step in their order. */
  step(input: Input, now: Now): readonly Effect[];
  /** The monotonic time at which the owner feeds a `tick`; undefined without a deadline. */
  nextDeadline(): number | undefined;
  /** Whether the owner feeds a `continue` when no other input waits. */
  hasWork(): boolean;
}

export interface StateMachine<State, Input, Effect> extends Steps<Input, Effect> {
  /** For views, which may keep its records but must not change it. */
  readonly state: State;
}

export interface MachineRules<State, Input, Effect> {
  /** Handles one input: changes the state and adds effects. */
  handle(ctx: Context<State, Effect>, input: Input): void;
  /** The kind of an input that a peer sent; undefined for inputs of the core's owner (ticks, answers of the store). */
  causeOf(input: Input): string | undefined;
  nextDeadline(state: State): number | undefined;
  hasWork(state: State): boolean;
}

export function createMachine<State, Input, Effect>(
  state: State,
  rules: MachineRules<State, Input, Effect>,
): StateMachine<State, Input, Effect> {
  return {
    state,
    step(input, now) {
      const ctx: Context<State, Effect> = { state, now, effects: [], cause: rules.causeOf(input) };
      rules.handle(ctx, input);
      return ctx.effects;
    },
    nextDeadline: () => rules.nextDeadline(state),
    hasWork: () => rules.hasWork(state),
  };
}
