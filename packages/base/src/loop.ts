// Drives one core: inputs in, effects out, one timer for its earliest deadline, jobs when no input waits. The shells run
// it on the process' clock, the simulator on a virtual one.
//
// Owns: the queue of inputs and the timer.
// Boundary: the clock calls back; the loop itself never waits.
// LOOP-1: `step` and `perform` never nest: an input that is pushed during one of them waits in the queue.
// LOOP-2: the effects of an input are performed in order, all of them before the next input is taken.
// LOOP-3: due deadlines go before queued inputs, queued inputs before jobs (`continue`).
// LOOP-4: a turn of the event loop lasts at most one slice and the input that exceeds it.
import type { Steps } from './core/machine.js';
import type { Clock } from './ports.js';
import type { Now } from './time.js';

export interface LoopOptions<Input, Effect> extends Steps<Input, Effect> {
  perform(effect: Effect): void;
  /** The input that tells the core that a deadline is due. */
  readonly tick: Input;
  /** The input that advances the core's jobs. */
  readonly continue: Input;
  readonly clock: Clock;
}

export interface Loop<Input> {
  readonly queuedInputs: number;
  /** Queues an input; the clock's next turn takes it, after the inputs that were queued before it. */
  push(input: Input): void;
  /** Drops the queued inputs and cancels the timer; inputs pushed later are ignored. */
  stop(): void;
}

/** The part of a turn of the event loop that a core may take before other work of the process. */
const SLICE_MS = 5;
/** Fewer taken inputs than this are not worth a copy of the queue. */
const COMPACT_AT = 4096;

/** A queue in which each call takes constant time on average, and which keeps no input that was taken. */
function createInputQueue<Input>() {
  let queue: (Input | undefined)[] = [];
  let taken = 0;
  return {
    length: () => queue.length - taken,
    push(input: Input): void {
      queue.push(input);
    },
    /** The oldest input; the queue must not be empty. */
    take(): Input {
      const input = queue[taken] as Input;
      queue[taken] = undefined;
      taken++;
      // A copy is shorter than what was taken since the last one, so that a long queue is not copied over and over.
      if (taken === queue.length || (taken >= COMPACT_AT && 2 * taken >= queue.length)) {
        queue = queue.slice(taken);
        taken = 0;
      }
      return input;
    },
    clear(): void {
      queue = [];
      taken = 0;
    },
  };
}

export function createLoop<Input, Effect>(options: LoopOptions<Input, Effect>): Loop<Input> {
  const { clock } = options;
  const queue = createInputQueue<Input>();
  let isScheduled = false;
  let isRunning = false;
  let isStopped = false;
  let timerAtMs: number | undefined;
  let cancelTimer: () => void = () => {};

  const takeNext = (now: Now): Input | undefined => {
    const deadline = options.nextDeadline();
    if (deadline !== undefined && deadline <= now.monoMs) return options.tick;
    if (queue.length() > 0) return queue.take();
    return options.hasWork() ? options.continue : undefined;
  };

  const setTimer = (now: Now): void => {
    const deadline = isStopped ? undefined : options.nextDeadline();
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
    if (isScheduled || isStopped || isRunning) return;
    isScheduled = true;
    clock.defer(() => {
      isScheduled = false;
      run();
    });
  };

  const run = (): void => {
    isRunning = true;
    let now = clock.now();
    const sliceEndMs = now.monoMs + SLICE_MS;
    let isIdle = false;
    while (!isStopped) {
      const input = takeNext(now);
      if (input === undefined) {
        isIdle = true;
        break;
      }
      for (const effect of options.step(input, now)) options.perform(effect);
      now = clock.now();
      if (now.monoMs >= sliceEndMs) break;
    }
    isRunning = false;
    setTimer(now);
    if (!isIdle) schedule();
  };

  return {
    get queuedInputs() {
      return queue.length();
    },
    push(input) {
      if (isStopped) return;
      queue.push(input);
      schedule();
    },
    stop() {
      isStopped = true;
      queue.clear();
      cancelTimer();
    },
  };
}
