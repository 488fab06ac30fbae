// Frameworks that the master says were removed.
import type { MasterInput } from '@meseta/master/core/io';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { schedulerCallIn } from './scheduler-messages.js';

export const removals: CheckerKind = {
  name: 'removals',
  invariants: {
    'a framework is removed only for a reason':
      'It was torn down, or it was without a connection for its failover timeout.',
  },
  allowances: {},
  create: createRemovalsChecker,
};

/** The text of the ERROR event of a framework that was removed. */
const REMOVED = 'Framework has been removed';
/** For clocks that run faster than the virtual time. */
const SLACK = 0.95;

function createRemovalsChecker({ world }: Cluster, count: Count): Checker {
  const tornDown = new Set<string>();
  /** When its scheduler last received an event, by framework. */
  const lastEventMs = new Map<string, number>();
  return {
    observer: {
      beforeMasterStep(_master, input) {
        const id = tearDownIn(input);
        if (id !== undefined) tornDown.add(id);
      },
      schedulerReceived({ name, info, memory }, event) {
        const nowMs = world.timeline.nowMs();
        const id = event.subscribed?.framework_id.value ?? memory.frameworkId;
        if (id === undefined) return;
        if (event.error === undefined) {
          lastEventMs.set(id, nowMs);
          return;
        }
        if (event.error.message !== REMOVED) return;
        count('removals of frameworks checked');
        const silentMs = nowMs - (lastEventMs.get(id) ?? Number.NEGATIVE_INFINITY);
        if (tornDown.has(id) || silentMs >= (info.failover_timeout ?? 0) * 1000 * SLACK) return;
        const text = `${name}: ${id}, ${silentMs} ms after its last event; its failover timeout is ${info.failover_timeout} s`;
        world.fail('a framework is removed only for a reason', text, [id]);
      },
    },
  };
}

function tearDownIn(input: MasterInput): string | undefined {
  if (input.kind === 'operatorCall') return input.call.teardown?.framework_id.value;
  const call = schedulerCallIn(input);
  return call?.type === 'TEARDOWN' ? call.framework_id?.value : undefined;
}
