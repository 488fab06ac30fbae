// Drives one core: inputs in, effects out, one timer, jobs when nothing else waits.
//
// Owns: the queue of inputs and the one timer.
// LOOP-1: `step` and `perform` never nest: an input that comes during one waits in the queue.
// LOOP-2: the effects of an input are carried out in order, all of them before the next input.
// LOOP-3: due deadlines go before queued inputs, queued inputs before jobs (`continue`).
// LOOP-4: no turn of the event loop is held longer than the slice and one input.
import type { Now } from '@meseta/base';
import type { Clock } from './clock.js';

export interface LoopOptions<Input, Effect> {
  step(input: Input, now: Now): readonly Effect[];
  /** The core's earliest deadline (monoMs). */
  nextDeadline(): number | undefined;
  hasWork(): boolean;
  perform(effect: Effect): void;
  readonly tick: Input;
  readonly continue: Input;
  readonly clock: Clock;
  /** The longest stretch of a turn; 5 ms unless given. */
  readonly sliceMs?: number | undefined;
}

export interface Loop<Input> {
  /** Inputs that nobody has taken yet. */
  readonly waiting: number;
  /** Queues an input; it is taken in a turn of its own, together with all that wait by then. */
  push(input: Input): void;
  /** Takes no more inputs and forgets those that wait. */
  stop(): void;
}

/** A queue whose taken part is let go in blocks. */
const COMPACT_AT = 4096;

export function createLoop<Input, Effect>(options: LoopOptions<Input, Effect>): Loop<Input> {
  const { clock, sliceMs = 5 } = options;
  let queue: Input[] = [];
  let taken = 0;
  let scheduled = false;
  let running = false;
  let stopped = false;
  let timerAtMs: number | undefined;
  let cancelTimer: () => void = () => {};

  const take = (): Input => {
    const input = queue[taken] as Input;
    taken++;
    if (taken === queue.length || taken === COMPACT_AT) {
      queue = queue.slice(taken);
      taken = 0;
    }
    return input;
  };

  const next = (now: Now): Input | undefined => {
    const deadline = options.nextDeadline();
    if (deadline !== undefined && deadline <= now.monoMs) return options.tick;
    if (taken < queue.length) return take();
    return options.hasWork() ? options.continue : undefined;
  };

  const setTimer = (now: Now): void => {
    const deadline = stopped ? undefined : options.nextDeadline();
    if (deadline === timerAtMs) return;
    cancelTimer();
    timerAtMs = deadline;
    if (deadline === undefined) return;
    cancelTimer = clock.setTimer(deadline - now.monoMs, () => {
      timerAtMs = undefined;
      run();
    });
  };

  const schedule = (): void => {
    if (scheduled || stopped || running) return;
    scheduled = true;
    clock.defer(() => {
      scheduled = false;
      run();
    });
  };

  const run = (): void => {
    running = true;
    let now = clock.now();
    const until = now.monoMs + sliceMs;
    let idle = false;
    while (!stopped) {
      const input = next(now);
      if (input === undefined) {
        idle = true;
        break;
      }
      for (const effect of options.step(input, now)) options.perform(effect);
      now = clock.now();
      if (now.monoMs >= until) break;
    }
    running = false;
    setTimer(now);
    if (!idle) schedule();
  };

  return {
    get waiting() {
      return queue.length - taken;
    },
    push(input) {
      if (stopped) return;
      queue.push(input);
      schedule();
    },
    stop() {
      stopped = true;
      queue = [];
      taken = 0;
      cancelTimer();
    },
  };
}
