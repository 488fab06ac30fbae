import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsFrom, quantitiesFrom } from '@meseta/resources';
import type { MasterCall, QuotaConfig } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import { createRecordKeeper } from './records.js';
import { wishes } from './wishes.js';

interface Has {
  readonly weight?: number;
  readonly cpus?: number;
  readonly isDown?: boolean;
  readonly gone?: readonly string[];
  readonly recovered?: boolean;
}

const quotaOf = (cpus: number | undefined): QuotaConfig => ({
  role: 'red',
  ...(cpus === undefined ? {} : { limits: { cpus: { value: cpus } } }),
});

/** A master that has read a registry with these values. */
function master({ weight = 1, cpus, isDown = false, gone = [], recovered = true }: Has): MasterProcess {
  const quota = quotaOf(cpus);
  const state = {
    recovered,
    agents: { gone: new Map(gone.map((id) => [id, 1])) },
    registrar: {
      durable: {
        quotas: new Map(cpus === undefined ? [] : [['red', quota]]),
        weights: new Map([['red', weight]]),
        machines: new Map(isDown ? [['h', { id: { hostname: 'h' }, mode: 'DOWN' }]] : []),
      },
    },
    allocator: {
      roleUsage: () => ({ weight, quota: { guarantees: quantitiesFrom({}), limits: limitsFrom(quota.limits ?? {}) } }),
    },
  };
  return { name: 'm', core: { state } } as unknown as MasterProcess;
}

function observed() {
  const failures: string[] = [];
  let leader: MasterProcess | undefined;
  const world = { fail: (invariant: string, text: string) => void failures.push(`${invariant}: ${text}`) };
  const cluster = { world, masters: { leader: () => leader }, plan: { weights: new Map() } } as unknown as Cluster;
  const { observer } = wishes.create(cluster, () => {}, createRecordKeeper());
  let requests = 0;
  return {
    failures,
    observer,
    lead(has: Has): MasterProcess {
      leader = master(has);
      observer.masterStarted?.(leader);
      observer.masterStepped?.(leader, { kind: 'tick' }, []);
      return leader;
    },
    call(to: MasterProcess, call: MasterCall, status: 200 | 400 | undefined): void {
      const request = String(requests++) as never;
      observer.beforeMasterStep?.(to, { kind: 'operatorCall', request, principal: undefined, call });
      const replies = status === undefined ? [] : [{ kind: 'reply', request, reply: { status } } as const];
      observer.masterStepped?.(to, { kind: 'tick' }, replies);
    },
  };
}

const weigh = (weight: number): MasterCall => ({
  type: 'UPDATE_WEIGHTS',
  update_weights: { weight_infos: [{ role: 'red', weight }] },
});
const limit = (cpus: number): MasterCall => ({
  type: 'UPDATE_QUOTA',
  update_quota: { quota_configs: [quotaOf(cpus)] },
});
const takeDown: MasterCall = { type: 'START_MAINTENANCE', start_maintenance: { machines: [{ hostname: 'h' }] } };
const markGone: MasterCall = { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: 'a' } } };

test('a new leader with an earlier weight, quota, maintenance mode or without a gone agent is a failure', () => {
  const done = { weight: 2, cpus: 3, isDown: true, gone: ['a'] } as const;
  const missing: readonly (readonly [string, Has, RegExp | undefined])[] = [
    ['all', done, undefined],
    ['weight', { ...done, weight: 1 }, /weight red is 1; answered 200 was 2/],
    ['quota', { weight: 2, isDown: true, gone: ['a'] }, /quota red is/],
    ['machine', { ...done, isDown: false }, /down h .*is false/],
    ['gone', { ...done, gone: [] }, /agent a is not gone/],
  ];
  for (const [name, has, says] of missing) {
    const { failures, lead, call } = observed();
    const first = lead({});
    for (const it of [weigh(2), limit(3), takeDown, markGone]) call(first, it, 200);
    lead(has);
    if (says === undefined) assert.deepEqual(failures, [], name);
    else assert.match(failures[0] ?? 'none', says, name);
  }
});

test('unanswered: a call without an answer may have been made or not, until a later call is answered', () => {
  for (const weight of [2, 5]) {
    const { failures, lead, call } = observed();
    const first = lead({});
    call(first, weigh(2), 200);
    call(first, weigh(5), undefined);
    lead({ weight });
    assert.deepEqual(failures, []);
  }
  const { failures, lead, call } = observed();
  call(lead({}), weigh(5), undefined);
  const second = lead({});
  call(second, weigh(3), 200);
  call(second, weigh(4), 400);
  lead({ weight: 3 });
  assert.deepEqual(failures, []);
  for (const weight of [5, 4]) {
    failures.length = 0;
    lead({ weight });
    assert.equal(failures.length > 0, true, `weight ${weight}`);
  }
});

test('pausedInRecovery: a leader that is paused in its recovery until another has been elected may have earlier values', () => {
  for (const isPaused of [true, false]) {
    const { failures, observer, lead, call } = observed();
    call(lead({}), weigh(2), 200);
    const second = lead({ weight: 2, recovered: false });
    if (isPaused) call(lead({ weight: 2 }), weigh(3), 200);
    else call(second, weigh(3), 200);
    Object.assign(second.core.state, { recovered: true });
    observer.masterStepped?.(second, { kind: 'persisted' }, []);
    assert.equal(failures.length > 0, !isPaused);
  }
});

test('a registration of an agent that was answered to be gone is a failure', () => {
  const { failures, observer, lead, call } = observed();
  const first = lead({});
  const registered = {
    kind: 'send',
    to: [],
    message: { name: 'AgentReregisteredMessage', body: { agent_id: { value: 'a' } } },
  };
  observer.masterStepped?.(first, { kind: 'tick' }, [registered as never]);
  call(first, markGone, 200);
  assert.deepEqual(failures, []);
  observer.masterStepped?.(first, { kind: 'tick' }, [registered as never]);
  assert.match(failures[0] ?? '', /registers no agent/);
});
