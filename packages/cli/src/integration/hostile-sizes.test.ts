// Messages and calls at the size limits, generated from the schema, against a real master and a real agent with a small heap, for
// a minute. `node scripts/nightly-hostile.mjs` runs longer and with other seeds. MESETA_HOSTILE_SEED and MESETA_HOSTILE_DURATION repeat a run: one seed gives one order of requests.
//
// SIZES-1: no turn of a daemon's event loop takes longer than 250 ms of processor time.
// SIZES-2: memory stays within the heap's limit and the bodies that may be in flight.
// SIZES-3: both daemons keep running, and an existing framework stays subscribed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { parseDuration, seededRandom } from '@meseta/base';
import { createSchemaPlaces } from '@meseta/wire/testing/schema-places';
import { createSizedRequests, type SizedRequest } from './testing/hostile-sizes.js';
import type { Witness } from './testing/witness.js';
import { startWitnessedCluster } from './testing/witnessed-cluster.js';
import type { TestCluster } from './testing.js';

const SEED = Number(process.env['MESETA_HOSTILE_SEED'] ?? 1);
const DURATION = process.env['MESETA_HOSTILE_DURATION'] ?? '60secs';
const DURATION_MS = durationMs(DURATION);
const HEAP_MB = 512;
const MAX_PAUSE_MS = 250;
const MAX_RESIDENT_BYTES = (HEAP_MB + 512) * 2 ** 20;
/** Code is compiled and caches are filled. */
const WARM_UP_REQUESTS = 20;

function durationMs(text: string): number {
  const duration = parseDuration(text);
  assert.ok(duration.ok, `MESETA_HOSTILE_DURATION: ${duration.ok ? '' : duration.error}`);
  return duration.value;
}

let cluster: TestCluster;
let witness: Witness;

before(async () => {
  ({ cluster, witness } = await startWitnessedCluster(true, { nodeOptions: [`--max-old-space-size=${HEAP_MB}`] }));
});

after(async () => {
  witness?.close();
  await cluster?.stop();
});

/** The status; of a stream its beginning is enough. Undefined if the daemon closed the connection. */
const send = (address: string, { method, target, headers, body }: SizedRequest): Promise<number | undefined> =>
  new Promise((resolve) => {
    const [host, port] = address.split(':');
    const sent = request({ host, port, method, path: target, headers, agent: false }, (answer) => {
      const isStream = answer.headers['content-length'] === undefined && answer.statusCode === 200;
      if (isStream) setTimeout(() => sent.destroy(), 20);
      answer.resume();
      answer.on('close', () => resolve(answer.statusCode));
    });
    sent.on('error', () => resolve(undefined));
    sent.setTimeout(20_000, () => sent.destroy());
    sent.end(body);
  });

const logOf = (daemon: 'master' | 'agent'): string => readFileSync(cluster.logFileOf(daemon), 'utf8').slice(-20_000);

interface Health {
  readonly pauseMs: number;
  readonly residentBytes: number;
}

async function healthOf(address: string): Promise<Health> {
  const answer = await fetch(`http://${address}/metrics/snapshot`);
  const metrics = (await answer.json()) as Record<string, number>;
  return {
    pauseMs: metrics['meseta/event_loop_pause_ms/max'] ?? Number.NaN,
    residentBytes: metrics['meseta/resident_bytes'] ?? Number.NaN,
  };
}

test(`SIZES-1, SIZES-2, SIZES-3: ${DURATION} of messages and calls at the size limits`, async () => {
  console.log(`MESETA_HOSTILE_SEED=${SEED} MESETA_HOSTILE_DURATION=${DURATION}`);
  const next = createSizedRequests(createSchemaPlaces(), seededRandom(SEED), witness);
  const problems: string[] = [];
  const worst = { master: 0, agent: 0 };
  const until = Date.now() + DURATION_MS;
  let count = 0;
  for (; Date.now() < until && problems.length < 20; count++) {
    const one = next();
    const address = cluster[one.daemon];
    const status = await send(address, one);
    const described = `request ${count}, ${one.what} (${one.body.length} bytes, answered ${status})`;
    const health = await healthOf(address).catch((error: unknown) => String(error));
    assert.ok(typeof health === 'object', `SIZES-3: ${one.daemon} is gone after ${described}: ${logOf(one.daemon)}`);
    assert.equal(
      witness.ended(),
      false,
      `SIZES-3: the witness is no longer subscribed after ${described}; its last event: ${witness.lastEvent()}\n${logOf('master')}`,
    );
    if (count < WARM_UP_REQUESTS) worst[one.daemon] = health.pauseMs;
    // A pause counts once: the figure is the longest of the last minute.
    if (health.pauseMs > MAX_PAUSE_MS && health.pauseMs > worst[one.daemon]) {
      problems.push(`SIZES-1: ${one.daemon} held up for ${Math.round(health.pauseMs)} ms: ${described}`);
    }
    worst[one.daemon] = health.pauseMs;
    if (!(health.residentBytes < MAX_RESIDENT_BYTES)) {
      problems.push(`SIZES-2: ${one.daemon} holds ${Math.round(health.residentBytes / 2 ** 20)} MiB: ${described}`);
    }
  }
  console.log(`${count} requests; longest pause of the last minute: ${JSON.stringify(worst)} ms`);
  assert.deepEqual(problems, []);
  assert.ok(count > DURATION_MS / 2000, `only ${count} requests`);
});
