// A core as its owner sees it. The owner (a shell, the simulator) feeds inputs, carries out effects and reads the state;
// what handlers may do with the state is in their `Context` (context.ts), which no owner sees.
//
// MACHINE-1: all that a machine remembers is in its state: a machine made from a copy of the state answers the same
//     inputs, at the same times, with the same effects.
import type { Now } from '../time.js';
import type { Context } from './context.js';

/** The part of a machine that a loop drives. */
export interface Steps<Input, Effect> {
  /** Takes one input. The effects are to be carried out after the step, in their order. */
  step(input: Input, now: Now): readonly Effect[];
  /** The monotonic time at which to feed a `tick`; undefined while nothing will be due. */
  nextDeadline(): number | undefined;
  /** Whether to feed a `continue` once no other input waits. */
  hasWork(): boolean;
}

export interface StateMachine<State, Input, Effect> extends Steps<Input, Effect> {
  /** For views: they read it and may keep its records, and never change it. */
  readonly state: State;
}

export interface MachineRules<State, Input, Effect> {
  /** Handles one input: changes the state and adds effects. */
  handle(ctx: Context<State, Effect>, input: Input): void;
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
      const ctx: Context<State, Effect> = { state, now, effects: [] };
      rules.handle(ctx, input);
      return ctx.effects;
    },
    nextDeadline: () => rules.nextDeadline(state),
    hasWork: () => rules.hasWork(state),
  };
}
