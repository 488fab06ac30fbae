// Framework rate limits (`--rate_limits`; Mesos: docs/framework-rate-limiting.md): the number of messages in a second that
// the master handles for the frameworks of one principal. Only messages of drivers are limited, never HTTP calls.
//
// Owns: the queued messages.
// Boundary: the caller keeps the clock and handles what passes. Times are monotonic, in milliseconds.
// RATE-LIMITS-1: messages under one limit pass in the order of their arrival, one in 1/qps seconds; the first passes at once.
// RATE-LIMITS-2: at most `capacity` messages are queued under a limit; further ones are refused. A lost connection is queued
//     behind the messages of its peer; it is never refused and does not count.
// RATE-LIMITS-3: a principal that is not listed shares the default limit with all other such principals and with frameworks
//     without a principal. A principal listed without qps has no limit.
import { err, ok, pushAll, type Result, smallest } from '@meseta/base';
import { type RateLimits, renderWireError } from '@meseta/wire';
import { RateLimitsCodec } from '@meseta/wire/codecs';

interface Limit {
  /** Between two messages. */
  readonly intervalMs: number;
  /** The most queued messages; Infinity if the flag has none, as in Mesos. */
  readonly capacity: number;
}

export interface Limits {
  /** Undefined for a listed principal without a limit. */
  readonly byPrincipal: ReadonlyMap<string, Limit | undefined>;
  readonly otherwise: Limit | undefined;
}

/** Undefined unless `qps` is above 0. */
function limitOf(qps: number, capacity: number | undefined): Limit | undefined {
  return qps > 0 ? { intervalMs: 1000 / qps, capacity: capacity ?? Number.POSITIVE_INFINITY } : undefined;
}

/** Parses mesos.RateLimits as JSON. The error names the field and the expected value. */
export function parseRateLimits(text: string): Result<Limits, string> {
  const parsed = RateLimitsCodec.parse(text);
  if (!parsed.ok) return err(renderWireError(parsed.error));
  const { limits = [], aggregate_default_qps, aggregate_default_capacity }: RateLimits = parsed.value;
  const byPrincipal = new Map<string, Limit | undefined>();
  for (const [index, { principal, qps, capacity }] of limits.entries()) {
    if (byPrincipal.has(principal)) {
      return err(`field 'limits[${index}].principal': ${JSON.stringify(principal)} appears twice`);
    }
    const limit = qps === undefined ? undefined : limitOf(qps, capacity);
    if (qps !== undefined && limit === undefined) return err(`field 'limits[${index}].qps': expected more than 0`);
    byPrincipal.set(principal, limit);
  }
  if (aggregate_default_qps === undefined) return ok({ byPrincipal, otherwise: undefined });
  const otherwise = limitOf(aggregate_default_qps, aggregate_default_capacity);
  return otherwise === undefined
    ? err("field 'aggregate_default_qps': expected more than 0")
    : ok({ byPrincipal, otherwise });
}

/** `pass`: handle it now. `queued`: `take` returns it when its time has come. */
export type Offered =
  | { readonly kind: 'pass' | 'queued' }
  | { readonly kind: 'overCapacity'; readonly capacity: number };

export interface Throttle<Item> {
  /** `counts` is false for a lost connection. `principal` is that of the registered framework that sent the item. */
  offer(item: Item, principal: string | undefined, counts: boolean, nowMs: number): Offered;
  /** Removes and returns the items whose time has come. */
  take(nowMs: number): readonly Item[];
  /** The time of the next queued item. */
  nextMs(): number | undefined;
}

interface Waiting<Item> {
  readonly item: Item;
  readonly counts: boolean;
  readonly dueMs: number;
}

interface Queue<Item> {
  readonly limit: Limit;
  readonly waiting: Waiting<Item>[];
  /** The waiting items that count against the capacity. */
  counted: number;
  /** The earliest time at which another item may pass. */
  freeMs: number;
}

export function createThrottle<Item>({ byPrincipal, otherwise }: Limits): Throttle<Item> {
  const queueOf = (limit: Limit): Queue<Item> => ({
    limit,
    waiting: [],
    counted: 0,
    freeMs: Number.NEGATIVE_INFINITY,
  });
  const own = new Map(
    [...byPrincipal].flatMap(([principal, limit]) =>
      limit === undefined ? [] : [[principal, queueOf(limit)] as const],
    ),
  );
  const shared = otherwise === undefined ? undefined : queueOf(otherwise);
  const queues = shared === undefined ? [...own.values()] : [...own.values(), shared];
  return {
    offer(item, principal, counts, nowMs) {
      const listed = principal !== undefined && byPrincipal.has(principal);
      const queue = listed ? own.get(principal) : shared;
      if (queue === undefined) return { kind: 'pass' };
      if (queue.waiting.length === 0 && queue.freeMs <= nowMs) {
        queue.freeMs = nowMs + queue.limit.intervalMs;
        return { kind: 'pass' };
      }
      if (counts && queue.counted >= queue.limit.capacity) {
        return { kind: 'overCapacity', capacity: queue.limit.capacity };
      }
      queue.waiting.push({ item, counts, dueMs: queue.freeMs });
      queue.freeMs += queue.limit.intervalMs;
      if (counts) queue.counted++;
      return { kind: 'queued' };
    },
    take(nowMs) {
      const due: Waiting<Item>[] = [];
      for (const queue of queues) {
        const end = queue.waiting.findIndex(({ dueMs }) => dueMs > nowMs);
        const leaving = queue.waiting.splice(0, end < 0 ? queue.waiting.length : end);
        queue.counted -= leaving.filter(({ counts }) => counts).length;
        pushAll(due, leaving);
      }
      return due.sort((one, other) => one.dueMs - other.dueMs).map(({ item }) => item);
    },
    nextMs() {
      const next = smallest(queues.map(({ waiting }) => waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY));
      return next === Number.POSITIVE_INFINITY ? undefined : next;
    },
  };
}
