// The timers of a core. A timer is a record of a union, `{ kind, ...ids }`, so that the compiler checks the ids of each
// kind and that every kind is handled. Timers are plain data in the state of the core.
//
// Owns: the timers that are set, with their deadlines. Boundary: no callbacks; the core takes the timers that are due.
// TIMERS-1: a timer is identified by its kind and ids, whatever the order of its fields; setting it again replaces it.
// TIMERS-2: due timers are taken in the order of (deadline, time of setting).
import {
  cancelDeadline,
  createDeadlines,
  type Deadlines,
  earliestDeadline,
  setDeadline,
  takeDueDeadline,
} from '../deadlines.js';
import type { Now } from '../time.js';

/** The constraint of a core's union of timers: every field except `kind` is an id. */
export interface TimerShape {
  readonly kind: string;
}

export interface Timers<Timer extends TimerShape> {
  readonly deadlines: Deadlines<string>;
  readonly byKey: Map<string, Timer>;
}

/** The part of a core's context that timers need. */
interface TimersContext<Timer extends TimerShape> {
  readonly state: { readonly timers: Timers<Timer> };
  readonly now: Now;
}

export const createTimers = <Timer extends TimerShape>(): Timers<Timer> => ({
  deadlines: createDeadlines(),
  byKey: new Map(),
});

/** Sets a timer, or replaces its deadline. With a delay below 0 it is due at once. */
export function setTimer<Timer extends TimerShape>(
  ctx: TimersContext<Timer>,
  timer: NoInfer<Timer>,
  delayMs: number,
): void {
  setTimerAt(ctx, timer, ctx.now.monoMs + Math.max(0, delayMs));
}

export function setTimerAt<Timer extends TimerShape>(
  { state: { timers } }: Pick<TimersContext<Timer>, 'state'>,
  timer: NoInfer<Timer>,
  atMonoMs: number,
): void {
  const key = keyOf(timer);
  timers.byKey.set(key, timer);
  setDeadline(timers.deadlines, key, atMonoMs);
}

export function cancelTimer<Timer extends TimerShape>(
  { state: { timers } }: Pick<TimersContext<Timer>, 'state'>,
  timer: NoInfer<Timer>,
): void {
  const key = keyOf(timer);
  timers.byKey.delete(key);
  cancelDeadline(timers.deadlines, key);
}

export const hasTimer = <Timer extends TimerShape>(
  { state: { timers } }: Pick<TimersContext<Timer>, 'state'>,
  timer: NoInfer<Timer>,
): boolean => timers.byKey.has(keyOf(timer));

/** Removes and returns the first timer that is due; undefined if there is none. */
export function takeDueTimer<Timer extends TimerShape>({
  state: { timers },
  now,
}: TimersContext<Timer>): Timer | undefined {
  const key = takeDueDeadline(timers.deadlines, now.monoMs);
  if (key === undefined) return undefined;
  const timer = timers.byKey.get(key);
  timers.byKey.delete(key);
  return timer;
}

/** The monotonic time at which the earliest timer is due; undefined if none is set. */
export const earliestTimerAt = <Timer extends TimerShape>({ deadlines }: Timers<Timer>): number | undefined =>
  earliestDeadline(deadlines);

/** NUL separates the parts: no id contains it. */
function keyOf(timer: TimerShape): string {
  const ids = Object.entries(timer).filter(([name]) => name !== 'kind');
  if (ids.length > 1) ids.sort(([a], [b]) => (a < b ? -1 : 1));
  return ids.reduce((key, [, id]) => `${key}\0${id}`, timer.kind);
}
