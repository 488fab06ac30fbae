// Answers of Mesos in corner cases of the documents, one test a row of docs/compatibility-answers.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { FrameworkInfo, MasterEvent, SchedulerV0Call } from '@meseta/wire';
import { createWorld, type TestScheduler, task, type World } from '../core/testing.js';
import { approveAll } from './approver.js';
import type { ProcessFacts } from './facts.js';
import { operatorEventOf } from './operator-events.js';
import { snapshotOf } from './snapshot.js';
import { frameworksDocument } from './v0-frameworks.js';
import { summaryDocument } from './v0-state.js';

interface ShownFramework {
  readonly pid?: string;
  readonly connected?: boolean;
  readonly unregistered_time?: number;
  readonly reregistered_time?: number;
  readonly offer_constraints?: unknown;
  readonly TASK_UNREACHABLE?: number;
  readonly TASK_LOST?: number;
}

interface Parsed {
  readonly frameworks: readonly ShownFramework[];
}

const parse = (pieces: Iterable<string | Uint8Array>): Parsed =>
  JSON.parse(Buffer.concat([...pieces].map((piece) => Buffer.from(piece))).toString());

const frameworksOf = (world: World): readonly ShownFramework[] =>
  parse(frameworksDocument(snapshotOf(world.master.state), approveAll, undefined, undefined)).frameworks;

function factsOf({ master }: World): ProcessFacts {
  const { info } = master.state.identity;
  return { build: { version: '1' }, info, startedAtMs: 0, cluster: undefined, flags: new Map() };
}

/** The events of the notes that `act` leaves. */
function eventsSince(world: World, begin: number): readonly MasterEvent[] {
  const notes = world.notes.slice(begin).filter(({ kind }) => kind !== 'log');
  return notes.flatMap((note) => operatorEventOf(world.master.state, note, approveAll) ?? []);
}

function eventsOf(world: World, act: () => void): readonly MasterEvent[] {
  const begin = world.notes.length;
  act();
  return eventsSince(world, begin);
}

test("/frameworks: a driver's pid stays while it is disconnected", () => {
  const world = createWorld();
  const pid = 'scheduler-1@10.0.0.9:7000' as Pid;
  const framework_info: FrameworkInfo = {
    user: 'root',
    name: 'v0',
    roles: ['*'],
    capabilities: [{ type: 'MULTI_ROLE' }],
    failover_timeout: 60,
  };
  const body: SchedulerV0Call = { type: 'SUBSCRIBE', subscribe: { framework_info } };
  world.feed({ kind: 'message', from: pid, message: { name: 'SchedulerCall', body } });
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  assert.deepEqual(
    frameworksOf(world).map(({ pid: shown, connected }) => [shown, connected]),
    [[pid, false]],
  );
});

test('/frameworks: reregistered_time stays while disconnected, unregistered_time is 0, offer_constraints is {}', () => {
  const world = createWorld();
  const first = world.subscribe({ failover_timeout: 60 });
  assert.equal('reregistered_time' in (frameworksOf(world)[0] ?? {}), false);
  const again = world.subscribe({ failover_timeout: 60, id: { value: first.id } });
  again.disconnect();
  const [shown = {} as ShownFramework] = frameworksOf(world);
  assert.equal(typeof shown.reregistered_time, 'number');
  assert.deepEqual([shown.unregistered_time, shown.connected], [0, false]);
  assert.deepEqual(shown.offer_constraints, {}, 'always there, also without constraints');
});

test('FRAMEWORK_ADDED: times that are not set are 0', () => {
  const world = createWorld();
  const agent = world.agent(undefined, { unregistered: true });
  const info: FrameworkInfo = { user: 'root', name: 'n', id: { value: 'earlier' } };
  const events = eventsOf(world, () =>
    agent.reregister({ agent: { ...agent.info, id: { value: 'a' } }, frameworks: [info] }),
  );
  const added = events.find(({ type }) => type === 'FRAMEWORK_ADDED')?.framework_added?.framework;
  assert.deepEqual([added?.registered_time, added?.reregistered_time], [{ nanoseconds: 0n }, { nanoseconds: 0n }]);
});

test('AGENT_ADDED: reregistered_time only after a re-registration; resources in both formats', () => {
  const world = createWorld();
  const agent = world.agent('cpus(web):1;mem:64');
  const addedSince = (begin: number) =>
    eventsSince(world, begin).find(({ type }) => type === 'AGENT_ADDED')?.agent_added?.agent;
  const first = addedSince(0);
  assert.equal(first?.reregistered_time, undefined);
  const cpus = first?.total_resources?.find(({ name }) => name === 'cpus');
  assert.deepEqual([cpus?.role, cpus?.reservations?.map(({ role }) => role)], ['web', ['web']]);
  agent.answersPings = false;
  world.wait(600_000);
  agent.answersPings = true;
  const begin = world.notes.length;
  agent.reregister();
  assert.notEqual(addedSince(begin)?.reregistered_time, undefined);
});

test('/state-summary: TASK_UNREACHABLE counts that state only, not LOST tasks of unreachable agents', () => {
  for (const [capabilities, counts] of [
    [
      [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
      [1, 0],
    ],
    [[{ type: 'MULTI_ROLE' }], [0, 1]],
  ] as const) {
    const world = createWorld();
    const agent = world.agent();
    const scheduler: TestScheduler = world.subscribe({ checkpoint: true, capabilities });
    const offer = scheduler.offer();
    scheduler.launch(offer, task('t', offer));
    agent.answersPings = false;
    world.wait(600_000);
    const [shown] = parse(summaryDocument(snapshotOf(world.master.state), factsOf(world), approveAll)).frameworks;
    assert.deepEqual([shown?.TASK_UNREACHABLE, shown?.TASK_LOST], counts);
  }
});
