import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Coordination, createLocalCoordination, createMemoryStore, type Leader } from '@meseta/coordination';
import { createHost, createLogger, realClock } from '@meseta/platform';
import type { MasterInfo } from '@meseta/wire';
import { emptyRegistry } from '../registry/state.js';
import { createPerformer } from './effects.js';
import { createLeadership, type Leadership } from './leadership.js';
import { createRequests } from './requests.js';

const info: MasterInfo = {
  id: 'm',
  ip: 16777343,
  port: 5050,
  pid: 'master@127.0.0.1:5050',
  hostname: 'localhost',
  address: { ip: '127.0.0.1', port: 5050 },
};

const log = createLogger({ component: 'test', level: 'silent' });

interface Candidate {
  readonly leadership: Leadership;
  readonly exits: string[];
  /** The test's clock and the end of the term by it. */
  readonly clock: { nowMs: number; validUntilMs: number };
  loseTerm(): Promise<void>;
}

/** A candidate whose term ends by the test's clock. */
async function elected(): Promise<Candidate> {
  const local = createLocalCoordination(createMemoryStore());
  const clock = { nowMs: 0, validUntilMs: 1000 };
  let resign = async (): Promise<void> => {};
  const coordination: Coordination = {
    ...local,
    async contend(bytes) {
      const term = await local.contend(bytes);
      resign = term.resign;
      return { ...term, validUntilMonoMs: () => clock.validUntilMs };
    },
  };
  const exits: string[] = [];
  const onExit = (message: string) => void exits.push(message);
  const leadership = createLeadership({ coordination, log, monoMs: () => clock.nowMs, onExit });
  assert.equal(leadership.isTermOver(), false);
  await leadership.contend(info);
  return { leadership, exits, clock, loseTerm: () => resign() };
}

const host = await createHost({
  ip: '127.0.0.1',
  port: 0,
  onMessage: () => 'unknown',
  onRequest: (_, response) => void response.writeHead(404).end(),
  onPeerLost: () => {},
});
assert.ok(host.ok);
const { value: openHost } = host;
after(() => openHost.close());
const requests = createRequests({ clock: realClock, onStreamClosed: assert.fail, onStreamBacklog: assert.fail });

/** Performs the effect `exit` under the leadership; returns whether it was performed. */
function performs({ isTermOver }: Leadership): boolean {
  let isPerformed = false;
  const perform = createPerformer({
    host: openHost,
    requests,
    registry: assert.fail,
    isTermOver,
    log,
    durableRegistry: emptyRegistry,
    onNote: ({ kind }) => assert.fail(kind),
    onExit: () => {
      isPerformed = true;
    },
  });
  perform({ kind: 'exit', message: '' });
  return isPerformed;
}

test('a master publishes its MasterInfo when it is elected, and reads it as that of the leader', async () => {
  const { leadership, exits } = await elected();
  assert.deepEqual(leadership.leader()?.info, info);
  assert.deepEqual([leadership.isTermOver(), performs(leadership), exits], [false, true, []]);
});

test('LEADERSHIP-1: a master whose term is over by its clock performs no effect and ends, once', async () => {
  const { leadership, exits, clock } = await elected();
  clock.nowMs = 999;
  assert.equal(performs(leadership), true);
  clock.nowMs = 1000;
  assert.equal(performs(leadership), false);
  // An answer that arrives now does not bring the term back.
  clock.validUntilMs = 5000;
  assert.deepEqual([leadership.isTermOver(), performs(leadership)], [true, false]);
  assert.equal(exits.length, 1);
});

test('LEADERSHIP-1: a master whose term is lost performs no effect and ends, once', async () => {
  const { leadership, exits, loseTerm } = await elected();
  await loseTerm();
  await new Promise(setImmediate);
  assert.deepEqual([leadership.isTermOver(), performs(leadership)], [true, false]);
  assert.deepEqual(exits, ['this master no longer leads: resigned']);
});

test('a leader whose MasterInfo is malformed is no leader', () => {
  let report: (leader: Leader | undefined) => void = () => {};
  const coordination: Coordination = {
    ...createLocalCoordination(createMemoryStore()),
    watch(onChange) {
      report = onChange;
      return () => {};
    },
  };
  const leadership = createLeadership({ coordination, log, monoMs: () => 0, onExit: assert.fail });
  report({ info: Buffer.from(JSON.stringify(info)) });
  assert.equal(leadership.leader()?.authority, 'localhost:5050');
  report({ info: Buffer.from('{"hostname":"a\\r\\nb"}') });
  assert.equal(leadership.leader(), undefined);
});
