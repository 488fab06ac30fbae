import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import { createRecordKeeper } from './records.js';
import { termOfTasks } from './term-of-tasks.js';

const PID = 'slave(1)@10.0.2.1:5051' as Pid;

function observed() {
  const failures: string[] = [];
  const world = { fail: (invariant: string) => void failures.push(invariant) };
  const { observer } = termOfTasks.create({ world } as unknown as Cluster, () => {}, createRecordKeeper());
  const masters = [1, 2].map((epoch) => {
    const pid = `master@10.0.1.${epoch}:5050` as Pid;
    const process = { name: `m${epoch}`, epoch, core: { state: { identity: { pid } } } } as unknown as MasterProcess;
    observer.masterStarted?.(process);
    return { process, pid };
  });
  const [old, next] = masters as [(typeof masters)[number], (typeof masters)[number]];
  return { failures, observer, old, next };
}

const run = (id: string): MasterEffect =>
  ({
    kind: 'send',
    to: [PID],
    message: { name: 'RunTaskMessage', body: { task: { task_id: { value: id } } } },
  }) as never;
const registration = { kind: 'send', to: [PID], message: { name: 'AgentReregisteredMessage', body: {} } } as never;
const offer = { kind: 'event', streams: [], event: { type: 'OFFERS', offers: { offers: [{ id: { value: 'o1' } }] } } };
const accept = { kind: 'schedulerCall', call: { type: 'ACCEPT', accept: { offer_ids: [{ value: 'o1' }] } } } as never;
const tick: MasterInput = { kind: 'tick' };

test('a call with an offer of another term launches nothing', () => {
  const { failures, observer, old, next } = observed();
  observer.masterStepped?.(old.process, tick, [offer as never]);
  observer.masterStepped?.(old.process, accept, [run('a')]);
  observer.masterStepped?.(next.process, accept, []);
  assert.deepEqual(failures, []);
  observer.masterStepped?.(next.process, accept, [run('b')]);
  assert.deepEqual(failures, ['a term launches only on its own offers']);
});

test('an agent starts no task of a term before the one that registered it last', () => {
  const { failures, observer, old, next } = observed();
  const checkpoint = { kind: 'checkpoint', changes: [] } as const;
  const agentAt = (master: Pid) =>
    ({ name: 'a', pid: PID, core: { state: { registration: { registered: true, master } } } }) as unknown as AgentNode;
  const receive = (from: Pid, effect: MasterEffect, effects: readonly (typeof checkpoint)[]): void =>
    observer.agentStepped?.(
      agentAt(from),
      { kind: 'message', from, message: (effect as unknown as { readonly message: never }).message },
      effects,
    );
  observer.masterStepped?.(old.process, tick, [registration, run('a')]);
  receive(old.pid, registration, []);
  receive(old.pid, run('a'), [checkpoint]);
  observer.masterStepped?.(next.process, tick, [registration]);
  receive(next.pid, registration, []);
  observer.masterStepped?.(old.process, tick, [run('b')]);
  receive(old.pid, run('b'), []);
  assert.deepEqual(failures, []);
  receive(old.pid, run('b'), [checkpoint]);
  assert.deepEqual(failures, ['an agent starts tasks only of the term that registered it']);
});
