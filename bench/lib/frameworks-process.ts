// Frameworks of the SDK in a separate process. They find the leader by the election, suppress offers, and subscribe again when
// another leader is elected.
import { connectScheduler, type Scheduler } from '@meseta/sdk';
import type { FrameworkInfo } from '@meseta/wire';
import { serveOrders } from './workers.js';

export type FrameworksOrder =
  | { readonly kind: 'subscribe'; readonly master: string; readonly count: number }
  /** Answered when each framework has subscribed once more. */
  | { readonly kind: 'awaitReturn' };

/** For `awaitReturn` the times of the subscriptions, in milliseconds of the wall clock. */
export interface FrameworksAnswer {
  readonly infos: readonly FrameworkInfo[];
  readonly subscribedMs: readonly number[];
}

const frameworks: Scheduler[] = [];
let subscribedMs: number[] = [];
let resolveAll: () => void = () => {};

const wall = (): number => performance.timeOrigin + performance.now();

const untilAllSubscribed = (): Promise<void> =>
  new Promise((resolve) => {
    resolveAll = resolve;
    if (frameworks.length > 0 && subscribedMs.length >= frameworks.length) resolve();
  });

async function follow(scheduler: Scheduler, count: number): Promise<void> {
  for await (const event of scheduler) {
    if (event.subscribed === undefined) continue;
    subscribedMs.push(wall());
    if (subscribedMs.length === count) resolveAll();
    await scheduler.call('SUPPRESS').catch(() => {});
  }
}

const infoOf = (n: number) => ({ name: `f${n}`, roles: ['*'], failover_timeout: 3600, checkpoint: true });

serveOrders<FrameworksOrder, FrameworksAnswer>(async (order) => {
  if (order.kind === 'subscribe') {
    for (let n = 0; n < order.count; n++) {
      const scheduler = connectScheduler({ master: order.master, framework: infoOf(n) });
      frameworks.push(scheduler);
      void follow(scheduler, order.count);
    }
  }
  await untilAllSubscribed();
  const times = subscribedMs;
  subscribedMs = [];
  const infos = frameworks.map(({ frameworkId }, n) => ({
    user: 'root',
    ...infoOf(n),
    id: { value: frameworkId ?? '' },
  }));
  return { infos, subscribedMs: times };
});
