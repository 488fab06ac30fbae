// Drives one core as the shells' loop does: due deadlines before queued inputs, queued inputs before jobs; the
// effects of an input are carried out in order, all of them before the next.
import type { Now } from '@meseta/base';
import type { Steps } from '@meseta/base/core/machine';
import { type Machine, timeOn, virtualTimeOf } from './machine.js';
import { isPending, type Scheduled, type Timeline } from './timeline.js';

export interface Actor<Input> {
  push(input: Input): void;
  /** The process ends: it takes nothing any more. */
  stop(): void;
  readonly stopped: boolean;
}

export interface ActorOptions<Input, Effect> {
  readonly timeline: Timeline;
  readonly machine: Machine;
  readonly core: Steps<Input, Effect>;
  readonly tick: Input;
  readonly continue: Input;
  perform(effect: Effect): void;
  /** Around every step, for the checkers. */
  before?(input: Input): void;
  after(input: Input, effects: readonly Effect[]): void;
  /** A core that throws is a broken invariant. */
  failed(cause: unknown): void;
}

/** The rounding of a clock that runs at another rate must not make a deadline look early for ever. */
const ROUNDING_MS = 1e-6;

export function createActor<Input, Effect>(options: ActorOptions<Input, Effect>): Actor<Input> {
  const { timeline, machine, core } = options;
  let inputs: Input[] = [];
  let scheduled: Scheduled | undefined;
  let timer: Scheduled | undefined;
  let running = false;
  let stopped = false;

  const next = (monoMs: number): Input | undefined => {
    const deadline = core.nextDeadline();
    if (deadline !== undefined && deadline <= monoMs + ROUNDING_MS) return options.tick;
    return inputs.length > 0 ? inputs.shift() : core.hasWork() ? options.continue : undefined;
  };

  /** Not before what is due, which rounding may have put a little later. */
  const tickTime = ({ monoMs, wallMs }: Now): Now => ({ monoMs: Math.max(monoMs, core.nextDeadline() ?? 0), wallMs });

  const run = (): void => {
    scheduled = undefined;
    if (timeline.nowMs() < machine.pausedUntilMs) {
      scheduled = timeline.at(machine.pausedUntilMs, run);
      return;
    }
    running = true;
    const exact = timeOn(machine, timeline.nowMs());
    while (!stopped) {
      const input = next(exact.monoMs);
      if (input === undefined) break;
      const now = input === options.tick ? tickTime(exact) : exact;
      try {
        options.before?.(input);
        const effects = core.step(input, now);
        options.after(input, effects);
        for (const effect of effects) if (!stopped) options.perform(effect);
      } catch (cause) {
        options.failed(cause);
        break;
      }
    }
    running = false;
    arm();
  };

  const arm = (): void => {
    const deadline = stopped ? undefined : core.nextDeadline();
    if (deadline === undefined) {
      timeline.cancel(timer);
      return;
    }
    const atMs = virtualTimeOf(machine, deadline, timeline);
    if (isPending(timer)) timeline.move(timer, atMs);
    else timer = timeline.at(atMs, wake);
  };

  const wake = (): void => {
    if (!stopped && !running && scheduled === undefined) scheduled = timeline.after(0, run);
  };

  return {
    push(input) {
      if (stopped) return;
      inputs.push(input);
      wake();
    },
    stop() {
      stopped = true;
      inputs = [];
      timeline.cancel(timer);
      timeline.cancel(scheduled);
    },
    get stopped() {
      return stopped;
    },
  };
}
