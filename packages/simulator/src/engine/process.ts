// A process on a simulated machine that runs one core: the shells' loop on the machine's virtual clock, with the
// checkers around every step.
import { createLoop, type Loop } from '@meseta/base';
import type { Steps } from '@meseta/base/core/machine';
import type { Machine } from './machine.js';
import type { Timeline } from './timeline.js';
import { createVirtualClock } from './virtual-clock.js';

export interface CoreProcess<Input> {
  push(input: Input): void;
  /** The process ends: it takes no input and performs no effect any more. */
  stop(): void;
  readonly isStopped: boolean;
}

export interface CoreProcessOptions<Input, Effect> {
  readonly timeline: Timeline;
  readonly machine: Machine;
  readonly core: Steps<Input, Effect>;
  readonly tick: Input;
  readonly continue: Input;
  perform(effect: Effect): void;
  /** Around every step, for the checkers. */
  beforeStep?(input: Input): void;
  afterStep(input: Input, effects: readonly Effect[]): void;
  /** The core threw: it broke an assertion. Must throw. */
  failed(cause: unknown): never;
}

export function startCoreProcess<Input, Effect>(options: CoreProcessOptions<Input, Effect>): CoreProcess<Input> {
  const { core, timeline, machine } = options;
  let isStopped = false;
  const loop: Loop<Input> = createLoop<Input, Effect>({
    clock: createVirtualClock(timeline, machine),
    tick: options.tick,
    continue: options.continue,
    nextDeadline: core.nextDeadline,
    hasWork: core.hasWork,
    step(input, now) {
      try {
        options.beforeStep?.(input);
        const effects = core.step(input, now);
        options.afterStep(input, effects);
        return effects;
      } catch (cause) {
        return options.failed(cause);
      }
    },
    perform(effect) {
      // An earlier effect of the same step may have ended the process.
      if (!isStopped) options.perform(effect);
    },
  });
  return {
    push: loop.push,
    stop() {
      isStopped = true;
      loop.stop();
    },
    get isStopped() {
      return isStopped;
    },
  };
}
