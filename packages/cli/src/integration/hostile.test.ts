// Bad input changes nothing: every call with every field missing, of a wrong kind, huge or hostile, as JSON and as
// protobuf, and every v0 endpoint with hostile parameters, sent to a real master and a real agent.
//
// HOSTILE-1: no answer is a server's error (but 501 for a call that Mesos has and that is not here).
// HOSTILE-2: the cluster's state, its registry included, is the same before and after, and its one task still runs.
// HOSTILE-3: memory stays flat, and both processes live.
// HOSTILE-4: a value of a kind that a field never takes is refused with a text that names the field.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createSchemaPlaces, type SchemaPlaces } from '@meseta/wire/testing/schema-places';
import { digestOf } from './testing/digest.js';
import { agentCalls, type HostileCall, masterCalls, schedulerCalls } from './testing/hostile-calls.js';
import { type HostileRequest, requestsOf, typesOf } from './testing/hostile-requests.js';
import { headerRequests, v0Requests } from './testing/hostile-v0.js';
import { type RawResponse, sendAll } from './testing/pipeline.js';
import { startWitness, type Witness } from './testing/witness.js';
import { createTestCluster, type TestCluster } from './testing.js';

const LEAST_REQUESTS = 100_000;
const MOST_PROBLEMS = 40;
const MAX_GROWTH_BYTES = 128 * 2 ** 20;
const places = createSchemaPlaces();
let cluster: TestCluster;
let witness: Witness;
let agent = '';
let sent = 0;
/** After the first attack: code is compiled, caches are filled. */
const warmRss = new Map<'master' | 'agent', number>();

before(async () => {
  cluster = await createTestCluster();
  await cluster.startMaster();
  await cluster.startAgent();
  agent = cluster.agent;
  witness = await startWitness(cluster.master);
});

after(async () => {
  witness?.close();
  await cluster?.stop();
});

const rssOf = (name: 'master' | 'agent'): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cluster.pidOf(name)}/status`, 'utf8'))?.[1]) * 1024;

const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 409, 413, 415]);

/** What is wrong with an answer. */
function problemOf({ names }: HostileRequest, { status, body }: RawResponse): string | undefined {
  // HOSTILE-1
  if (status >= 300 && status !== 307 && status !== 501 && !REFUSED.has(status)) return 'no such status was expected';
  // HOSTILE-4
  if (names === undefined || status === 501) return undefined;
  if (status !== 400) return `expected 400 for a wrong kind of '${names}'`;
  return body.includes(names) ? undefined : `expected the text to name '${names}'`;
}

async function attack(address: string, requests: Iterable<HostileRequest>): Promise<void> {
  const beforehand = await digestOf(cluster);
  const problems = new Map<string, string>();
  await sendAll(address, requests, (request, answer) => {
    sent++;
    const problem = problemOf(request, answer);
    if (problem === undefined || problems.size === MOST_PROBLEMS) return;
    const { status, body } = answer;
    problems.set(request.what, `${problem}: ${status} ${body.slice(0, 300)}; ${String(request.body).slice(0, 900)}`);
  });
  assert.deepEqual([...problems], []);
  assert.equal(await digestOf(cluster), beforehand, 'HOSTILE-2');
  assert.equal(witness.ended(), false, 'the witness is still subscribed');
  if (warmRss.size === 0) for (const name of ['master', 'agent'] as const) warmRss.set(name, rssOf(name));
}

function* mutationsOf(calls: readonly HostileCall[]): Generator<HostileRequest> {
  const all = new Map<string, ReturnType<SchemaPlaces['placesOf']>>();
  for (const call of calls) {
    const known = all.get(call.message) ?? places.placesOf(call.message);
    all.set(call.message, known);
    yield* requestsOf(places, call, known);
    yield* typesOf(call);
  }
}

test("HOSTILE-1, HOSTILE-2: an agent's v0 endpoints", () => attack(agent, v0Requests('agent')));
test("HOSTILE-1, HOSTILE-2: a master's v0 endpoints", () => attack(cluster.master, v0Requests('master')));
test("HOSTILE-1, HOSTILE-2, HOSTILE-4: operators' calls to a master", () =>
  attack(cluster.master, mutationsOf(masterCalls(witness))));
test("HOSTILE-1, HOSTILE-2, HOSTILE-4: operators' calls to an agent", () => attack(agent, mutationsOf(agentCalls())));
test("HOSTILE-1, HOSTILE-2, HOSTILE-4: a scheduler's calls", () =>
  attack(cluster.master, mutationsOf(schedulerCalls(witness))));
test('HOSTILE-1, HOSTILE-2: unsuitable headers', async () => {
  await attack(cluster.master, headerRequests('/api/v1'));
  await attack(cluster.master, headerRequests('/api/v1/scheduler'));
  await attack(agent, headerRequests('/api/v1'));
});

test('HOSTILE-3: enough requests were sent, and memory does not grow', async () => {
  assert.ok(sent >= LEAST_REQUESTS, `${sent} requests`);
  for (const name of ['master', 'agent'] as const) {
    const grown = rssOf(name) - (warmRss.get(name) ?? 0);
    assert.ok(grown < MAX_GROWTH_BYTES, `HOSTILE-3: ${name} has grown by ${grown} bytes`);
  }
});
