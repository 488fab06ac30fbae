// Usage: see README.md here. Encode and decode of an OFFERS
// event with 10 offers in both media types, beside JSON.stringify and JSON.parse of the same object.
import type { Offer, Resource, SchedulerEvent } from '@meseta/wire';
import { SchedulerEventCodec } from '@meseta/wire/codecs';

const MASTER = '82a7055f-0b15-46db-9d2d-ac08fd597e89';
const ROUNDS = 15;
const ROUND_MS = 60;

function offer(n: number): Offer {
  const allocation_info = { role: 'services/web' };
  const scalar = (name: string, value: number): Resource => ({
    name,
    type: 'SCALAR',
    scalar: { value },
    allocation_info,
  });
  const hostname = `worker-${n}.rack-${n % 4}.example.com`;
  const port = 5051;
  return {
    id: { value: `${MASTER}-O${n + 1200}` },
    framework_id: { value: `${MASTER}-0007` },
    agent_id: { value: `${MASTER}-S${n}` },
    hostname,
    resources: [
      scalar('cpus', 7.5 - n / 10),
      scalar('mem', 30000 - 128 * n),
      scalar('disk', 102400),
      {
        name: 'ports',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 31000, end: 31004 },
            { begin: 31006, end: 32000 },
          ],
        },
        allocation_info,
      },
      { ...scalar('mem', 512), reservations: [{ type: 'DYNAMIC', role: 'services/web', principal: 'operator' }] },
    ],
    attributes: [
      { name: 'rack', type: 'TEXT', text: { value: `rack-${n % 4}` } },
      { name: 'generation', type: 'SCALAR', scalar: { value: 3 } },
    ],
    url: { scheme: 'http', address: { hostname, ip: `10.0.${n}.17`, port }, path: '/slave(1)' },
    allocation_info,
  };
}

const event: SchedulerEvent = { type: 'OFFERS', offers: { offers: Array.from({ length: 10 }, (_, n) => offer(n)) } };

const text = JSON.stringify(event);
const bytes = SchedulerEventCodec.encode(event);
const codec = SchedulerEventCodec;
const utf8 = new TextEncoder();
const textBytes = utf8.encode(text);
const decoder = new TextDecoder();

let sink: unknown;
const cases: readonly (readonly [name: string, work: () => unknown, baseline: string])[] = [
  ['JSON.stringify', () => JSON.stringify(event), ''],
  ['write JSON', () => codec.write(event), 'JSON.stringify'],
  ['encode protobuf', () => codec.encode(event), 'JSON.stringify'],
  ['JSON.parse', () => JSON.parse(text), ''],
  ['parse JSON', () => codec.parse(text), 'JSON.parse'],
  ['decode protobuf', () => codec.decode(bytes), 'JSON.parse'],
  ['JSON.stringify to bytes', () => utf8.encode(JSON.stringify(event)), ''],
  ['write JSON to bytes', () => utf8.encode(codec.write(event)), 'JSON.stringify to bytes'],
  ['JSON.parse of bytes', () => JSON.parse(decoder.decode(textBytes)), ''],
  ['parse JSON of bytes', () => codec.parse(decoder.decode(textBytes)), 'JSON.parse of bytes'],
];

/** Microseconds a call, over at least `ms`. */
function time(work: () => unknown, ms: number): number {
  let calls = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < ms) {
    for (let i = 0; i < 20; i++) sink = work();
    calls += 20;
    elapsed = performance.now() - start;
  }
  return (elapsed * 1000) / calls;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

for (const [, work] of cases) time(work, 200);
const times = cases.map((): number[] => []);
for (let round = 0; round < ROUNDS; round++) {
  for (const [i, [, work]] of cases.entries()) times[i]?.push(time(work, ROUND_MS));
}
const medians = new Map(cases.map(([name], i) => [name, median(times[i] ?? [])]));

console.log(
  `OFFERS with 10 offers: ${text.length} bytes of JSON, ${bytes.length} of protobuf; medians of ${ROUNDS} rounds`,
);
for (const [name, , baseline] of cases) {
  const us = medians.get(name) ?? 0;
  const against =
    baseline === '' ? 'the baseline' : `${((medians.get(baseline) ?? 0) / us).toFixed(2)} times as fast as ${baseline}`;
  console.log(`${name.padEnd(24)} ${us.toFixed(1).padStart(7)} us   ${against}`);
}
if (sink === undefined) process.exitCode = 1;
