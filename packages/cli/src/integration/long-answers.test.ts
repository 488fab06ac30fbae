// A framework with very many tasks reconciles them all: the answer is longer than what may wait for a slow reader.
import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { pause, until } from '@meseta/platform/testing/until';
import { recordReader } from '@meseta/wire/recordio';
import { createTestCluster } from './testing.js';

const TASKS = 60_000;
const json = { 'Content-Type': 'application/json', Accept: 'application/json' };
/** Statuses of this length together are several times the limit of unsent bytes. */
const taskId = (index: number): string => `${'t'.repeat(200)}-${index}`;

/** The stream of a new framework. A master that is being elected answers 503. */
async function subscribe(target: string): Promise<IncomingMessage> {
  const framework_info = { user: 'root', name: 'many' };
  for (;;) {
    const subscribing = request(target, { method: 'POST', headers: json, agent: false });
    subscribing.end(JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info } }));
    const response = await new Promise<IncomingMessage>((resolve) => subscribing.on('response', resolve));
    if (response.statusCode === 200) return response;
    response.destroy();
    await pause(20);
  }
}

test('a framework that reads with a pause gets the answer for each of 60,000 tasks, in order', async (t) => {
  const cluster = await createTestCluster();
  t.after(cluster.stop);
  await cluster.startMaster();
  const target = `http://${cluster.master}/api/v1/scheduler`;
  const records = recordReader(2 ** 26);
  const ids: string[] = [];
  let frameworkId: object | undefined;
  let hasEnded = false;
  const response = await subscribe(target);
  t.after(() => response.destroy());
  response.on('close', () => {
    hasEnded = true;
  });
  response.on('error', () => {});
  response.on('data', (bytes: Buffer) => {
    const read = records.push(bytes);
    for (const record of read.ok ? read.value : []) {
      const event = JSON.parse(Buffer.from(record).toString()) as {
        readonly subscribed?: { readonly framework_id: object };
        readonly update?: { readonly status: { readonly task_id: { readonly value: string } } };
      };
      frameworkId = event.subscribed?.framework_id ?? frameworkId;
      if (event.update !== undefined) ids.push(event.update.status.task_id.value);
    }
  });
  await until('the subscription', () => frameworkId !== undefined);
  response.pause();
  const tasks = Array.from({ length: TASKS }, (_, index) => ({ task_id: { value: taskId(index) } }));
  const body = { framework_id: frameworkId, type: 'RECONCILE', reconcile: { tasks } };
  const answer = await fetch(target, {
    method: 'POST',
    headers: { ...json, 'Mesos-Stream-Id': String(response.headers['mesos-stream-id']) },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 202, await answer.text());
  // Time in which the master would fill its buffers and close the stream, if it did not wait for the reader.
  await pause(1_000);
  assert.equal(hasEnded, false);
  response.resume();
  await until('every answer', () => ids.length === TASKS || hasEnded, 60_000);
  assert.equal(hasEnded, false);
  assert.deepEqual(
    ids,
    tasks.map(({ task_id }) => task_id.value),
  );
});
