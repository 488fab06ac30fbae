// Framework rate limits (`--rate_limits`; Mesos: docs/framework-rate-limiting.md): how many messages a second the
// frameworks of one principal may have the master work on. Only drivers' messages are limited, HTTP calls never.
//
// Owns: the messages that wait for their turn.
// RATE-LIMITS-1: messages under one limit leave in the order in which they came, one each 1/qps seconds; the first leaves at once.
// RATE-LIMITS-2: at most `capacity` wait under a limit; one more is not taken. A lost connection waits its turn with the messages
//     of its peer, but is always taken and never counted.
// RATE-LIMITS-3: a principal without a limit of its own shares the default one with all such, and with frameworks of no principal;
//     a principal listed without qps is never limited.
import { err, ok, pushAll, type Result, smallest } from '@meseta/base';
import { type RateLimits, renderWireError } from '@meseta/wire';
import { RateLimitsCodec } from '@meseta/wire/codecs';

interface Limit {
  readonly intervalMs: number;
  readonly capacity: number;
}

export interface Limits {
  /** undefined: listed, and free. */
  readonly byPrincipal: ReadonlyMap<string, Limit | undefined>;
  readonly otherwise: Limit | undefined;
}

function limitOf(qps: number, capacity: number | undefined): Limit | undefined {
  return qps > 0 ? { intervalMs: 1000 / qps, capacity: capacity ?? Number.POSITIVE_INFINITY } : undefined;
}

export function parseRateLimits(text: string): Result<Limits, string> {
  const parsed = RateLimitsCodec.parse(text);
  if (!parsed.ok) return err(renderWireError(parsed.error));
  const { limits = [], aggregate_default_qps, aggregate_default_capacity }: RateLimits = parsed.value;
  const byPrincipal = new Map<string, Limit | undefined>();
  for (const [index, { principal, qps, capacity }] of limits.entries()) {
    if (byPrincipal.has(principal)) {
      return err(`field 'limits[${index}].principal': ${JSON.stringify(principal)} is there twice`);
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

/** `pass`: to be worked on now. `held`: `take` gives it back when it is its turn. */
export type Offered =
  | { readonly kind: 'pass' | 'queued' }
  | { readonly kind: 'overCapacity'; readonly capacity: number };

export interface Throttle<Item> {
  /** `counts` is false for a lost connection. `principal` is that of the registered framework that it is from. */
  offer(item: Item, principal: string | undefined, counts: boolean, nowMs: number): Offered;
  /** Those whose turn has come. */
  take(nowMs: number): readonly Item[];
  /** When the next turn comes. */
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
  counted: number;
  /** The earliest moment of the next turn. */
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
