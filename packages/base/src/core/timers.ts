// The timers of a core. A timer is a record of a union, `{ kind, ...ids }`, so the compiler knows which ids a kind has
// and that every kind is handled. Plain data, part of the core's state.
//
// Owns: the timers that are set and when each is due. Boundary: nothing here calls a handler; the core takes what is due.
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

/** What a core's union of timers extends: every field besides `kind` is an id. */
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

/** Sets a timer, or sets it anew. With a delay below 0 it is due at once. */
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

/** Takes out one timer that is due; undefined if none is. */
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
