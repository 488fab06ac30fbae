// The clock of a simulated machine: its timers and turns of the event loop happen on the timeline.
//
// VIRTUAL-CLOCK-1: a timer's callback reads at least the time that the timer was set for, whatever the rate of the
//     machine's monotonic clock rounds to.
// VIRTUAL-CLOCK-2: while the machine is paused nothing is called back; afterwards everything due is, in order.
import type { Clock, Now } from '@meseta/base';
import { type Machine, timeOn, virtualTimeOf } from './machine.js';
import type { Timeline } from './timeline.js';

export function createVirtualClock(timeline: Timeline, machine: Machine): Clock {
  /** VIRTUAL-CLOCK-1: the latest monoMs that a timer was due at. */
  let leastMonoMs = 0;

  const now = (): Now => {
    const exact = timeOn(machine, timeline.nowMs());
    return exact.monoMs >= leastMonoMs ? exact : { ...exact, monoMs: leastMonoMs };
  };

  /** Calls back at that virtual time, or when the pause that lasts then is over. Returns a function that cancels. */
  const callAt = (atMs: number, callback: () => void): (() => void) => {
    const call = (): void => {
      // VIRTUAL-CLOCK-2.
      if (timeline.nowMs() < machine.pausedUntilMs) scheduled = timeline.at(machine.pausedUntilMs, call);
      else callback();
    };
    let scheduled = timeline.at(atMs, call);
    return () => timeline.cancel(scheduled);
  };

  return {
    now,
    setTimer(delayMs, callback) {
      const dueMs = now().monoMs + delayMs;
      return callAt(virtualTimeOf(machine, dueMs, timeline), () => {
        leastMonoMs = Math.max(leastMonoMs, dueMs);
        callback();
      });
    },
    defer: (callback) => void callAt(timeline.nowMs(), callback),
  };
}
