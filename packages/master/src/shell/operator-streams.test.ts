import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createRenderQueue, type Rendering, type RenderQueue, realClock } from '@meseta/platform';
import type { MasterEvent } from '@meseta/wire';
import { JSON_TYPE } from '@meseta/wire/media';
import { recordReader } from '@meseta/wire/recordio';
import { createWorld } from '../core/testing.js';
import { approveAll } from '../views/approver.js';
import { createOperatorStreams } from './operator-streams.js';

const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
});

/** Takes the snapshot when it is asked for one, and writes it when `finish` is called. */
function createPausedRenders(renders: RenderQueue) {
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const render: RenderQueue['render'] = async (request) => {
    const rendering = request.start(undefined);
    const pieces: Uint8Array[] = [];
    let next = rendering.next();
    begin();
    await finished;
    for (; next.done !== true; next = rendering.next()) pieces.push(Buffer.from(next.value));
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    return { pieces, bytes, memory: next.value } satisfies Rendering;
  };
  return { renders: { ...renders, render }, begun, finish };
}

/** A master with its operator streams on a port; `subscribe` opens one of them. */
async function serve(limit: number, wrap = (renders: RenderQueue): RenderQueue => renders) {
  const world = createWorld();
  const renders = createRenderQueue({ clock: realClock });
  const streams = createOperatorStreams({
    clock: realClock,
    renders: wrap(renders),
    state: world.master.state,
    limit,
    approverOf: () => approveAll,
    onCut: assert.fail,
  });
  const server = createServer((_, response) => void streams.subscribe({ response, principal: undefined }, JSON_TYPE));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    streams.closeAll();
    renders.clear();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** What a framework's arrival leads to is passed to the streams. */
  const addFramework = (name: string): void => {
    const before = world.notes.length;
    world.subscribe({ name });
    for (const note of world.notes.slice(before)) streams.note(note);
  };
  return { streams, addFramework, subscribe: async () => recordsOf(await fetch(url)) };
}

async function* recordsOf({ body }: Response): AsyncGenerator<MasterEvent, undefined> {
  assert.ok(body);
  const reader = recordReader(2 ** 20);
  for await (const chunk of body) {
    const records = reader.push(chunk);
    assert.ok(records.ok);
    for (const record of records.value) yield JSON.parse(new TextDecoder().decode(record)) as MasterEvent;
  }
  return undefined;
}

const labelOf = ({ type, framework_added: added }: MasterEvent): string =>
  added === undefined ? `${type}` : `${type} ${added.framework.framework_info.name}`;

const frameworksIn = ({ subscribed }: MasterEvent): readonly string[] =>
  (subscribed?.get_state?.get_frameworks?.frameworks ?? []).map(({ framework_info: { name } }) => name);

test('OPERATOR-STREAMS-1: events during the rendering of the snapshot follow it, once each, before later events', async () => {
  const paused: Partial<ReturnType<typeof createPausedRenders>> = {};
  const { streams, addFramework, subscribe } = await serve(10, (renders) => {
    Object.assign(paused, createPausedRenders(renders));
    return paused.renders as RenderQueue;
  });
  addFramework('before');
  const subscribing = subscribe();
  await paused.begun;
  addFramework('during');
  paused.finish?.();
  const events = await subscribing;
  const next = async (): Promise<MasterEvent> => (await events.next()).value as MasterEvent;
  const snapshot = await next();
  assert.deepEqual([snapshot.type, frameworksIn(snapshot)], ['SUBSCRIBED', ['before']]);
  addFramework('after');
  const following = [await next(), await next(), await next()].map(labelOf);
  assert.deepEqual(following, ['HEARTBEAT', 'FRAMEWORK_ADDED during', 'FRAMEWORK_ADDED after']);
  streams.closeAll();
  assert.equal((await events.next()).done, true);
});

test('OPERATOR-STREAMS-2: one stream more than the limit closes the oldest', async () => {
  const { streams, addFramework, subscribe } = await serve(2);
  const opened: AsyncGenerator<MasterEvent, undefined>[] = [];
  for (let i = 0; i < 3; i++) {
    const events = await subscribe();
    assert.equal((await events.next()).value?.type, 'SUBSCRIBED');
    assert.equal((await events.next()).value?.type, 'HEARTBEAT');
    opened.push(events);
  }
  assert.equal(streams.open(), 2);
  addFramework('new');
  const [oldest, ...others] = opened;
  assert.equal((await oldest?.next())?.done, true);
  for (const events of others) {
    const { value } = await events.next();
    assert.equal(value && labelOf(value), 'FRAMEWORK_ADDED new');
  }
});
