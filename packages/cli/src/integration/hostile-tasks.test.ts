// Launches of real tasks, each with one hostile field (checks, grace periods, environments, URIs, ports, labels ...): the
// agent answers each with a state or a refusal and keeps running.
//
// TASKS-HOSTILE-1: neither daemon ends, and the witness' task keeps running.
// TASKS-HOSTILE-2: each task ends or is refused.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { until } from '@meseta/platform/testing/until';
import { hostileValues, RawJson, writeJson } from '@meseta/wire/testing/hostile-values';
import { createSchemaPlaces, type Plain } from '@meseta/wire/testing/schema-places';
import type { Witness } from './testing/witness.js';
import { startWitnessedCluster } from './testing/witnessed-cluster.js';
import type { TestCluster } from './testing.js';

/** Of the values of a field so many are left out between two that are taken; others at the next field. */
const ONE_IN = 5;
const TASKS_AT_ONCE = 12;
const places = createSchemaPlaces();
let cluster: TestCluster;
let witness: Witness;

before(async () => {
  ({ cluster, witness } = await startWitnessedCluster(true));
});

after(async () => {
  witness?.close();
  await cluster?.stop();
});

const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } });
const timings = { delay_seconds: 0, interval_seconds: 0.1, timeout_seconds: 0.5 };

const base = (more: Plain): Plain => ({
  name: 'spoiled',
  agent_id: { value: witness.agentId },
  command: { value: 'sleep 0.3' },
  resources: [scalar('cpus', 0.1), scalar('mem', 32)],
  ...more,
});

/** What of a task is spoiled, in a form that is taken. Commands stay as they are: they would be run. */
const SUBJECTS: readonly Plain[] = [
  { check: { type: 'TCP', tcp: { port: 1 }, ...timings } },
  { check: { type: 'HTTP', http: { port: 1, path: '/' }, ...timings } },
  { health_check: { type: 'TCP', tcp: { port: 1 }, ...timings, grace_period_seconds: 0.1, consecutive_failures: 1 } },
  { health_check: { type: 'HTTP', http: { scheme: 'http', port: 1, path: '/' }, ...timings } },
  { kill_policy: { grace_period: { nanoseconds: 1 } } },
  { max_completion_time: { nanoseconds: 200_000_000 } },
  { labels: { labels: [{ key: 'k', value: 'v' }] } },
  { discovery: { visibility: 'CLUSTER', name: 'n', ports: { ports: [{ number: 1, name: 'p', protocol: 'tcp' }] } } },
  { data: 'AAAA' },
  { limits: { cpus: { value: 1 }, mem: { value: 64 } } },
];
const ENVIRONMENT: Plain = {
  command: {
    value: 'sleep 0.1',
    environment: { variables: [{ name: 'A', value: 'b' }] },
    uris: [{ value: '/dev/null/x' }],
  },
};
const SPOILED_OF_COMMAND = /^command\.(?:environment|uris)\b/;

function* tasks(): Generator<Plain> {
  const all = places.placesOf('TaskInfo', 6);
  for (const subject of [...SUBJECTS, ENVIRONMENT]) {
    const [name = ''] = Object.keys(subject);
    const spoilt = all.filter(({ text }) =>
      name === 'command' ? SPOILED_OF_COMMAND.test(text) : text.startsWith(`${name}.`),
    );
    for (const [turn, place] of spoilt.entries()) {
      if (/command\.(?:value|user|arguments)$/.test(place.text) && place.text !== 'command.uris.value') continue;
      const field = place.steps.at(-1);
      if (field === undefined) continue;
      for (const [i, { value, mistyped }] of hostileValues(places, field).entries()) {
        // A call with a value of another kind is no call, and one with a huge one is for the tests of sizes.
        if (mistyped || (i + turn) % ONE_IN !== 0 || value instanceof RawJson) continue;
        yield places.put(base(subject), place, value);
      }
    }
  }
}

const call = (body: object): Promise<Response> =>
  fetch(`http://${cluster.master}/api/v1/scheduler`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      'Mesos-Stream-Id': witness.streamId,
    },
    body: writeJson({ framework_id: { value: witness.frameworkId }, ...body }),
  });

const logOf = (daemon: 'master' | 'agent'): string => readFileSync(cluster.logFileOf(daemon), 'utf8').slice(-2000);

async function isAlive(address: string): Promise<boolean> {
  return fetch(`http://${address}/health`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

test('TASKS-HOSTILE-1, TASKS-HOSTILE-2: no field of a task that is launched ends its agent', async () => {
  let count = 0;
  let batch: Plain[] = [];
  const launch = async (): Promise<void> => {
    const task_infos = batch.map((task) => ({ ...task, task_id: { value: `spoiled-${count++}` } }));
    batch = [];
    const before_ = witness.offerId();
    const operations = task_infos.map((task) => ({ type: 'LAUNCH', launch: { task_infos: [task] } }));
    const answer = await call({
      type: 'ACCEPT',
      accept: { offer_ids: [before_], operations, filters: { refuse_seconds: 0 } },
    });
    assert.ok([202, 400].includes(answer.status), `${answer.status}: ${await answer.text()}`);
    const described = (): string => writeJson(task_infos).slice(0, 4000);
    if (answer.status === 202) {
      await until('the next offer', () => witness.offerId() !== before_, 20_000).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${described()}\n${logOf('agent')}`);
      });
    }
    for (const daemon of ['master', 'agent'] as const) {
      assert.ok(await isAlive(cluster[daemon]), `TASKS-HOSTILE-1: ${daemon} ended: ${logOf(daemon)}\n${described()}`);
    }
  };
  for (const task of tasks()) {
    batch.push(task);
    if (batch.length === TASKS_AT_ONCE) await launch();
  }
  await launch();
  await call({ type: 'RECONCILE', reconcile: {} });
  assert.ok(count > 200, `${count} tasks`);
  await until(
    'the spoiled tasks to end (TASKS-HOSTILE-2)',
    async () => {
      const answer = await fetch(`http://${cluster.master}/tasks?limit=-1`);
      const { tasks: listed } = (await answer.json()) as {
        readonly tasks: readonly { readonly id: string; readonly state: string }[];
      };
      const running = listed.filter(({ state }) => !/FINISHED|FAILED|KILLED|ERROR|LOST|DROPPED|GONE/.test(state));
      return running.every(({ id }) => id === 'witness') && running.length === 1;
    },
    60_000,
  );
  assert.equal(witness.ended(), false);
});
