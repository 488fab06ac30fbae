import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import { createRegistryStore } from './registry-store.js';
import { createTimeline } from './timeline.js';

const setWeight = (role: string): RegistryOperation => ({ kind: 'updateWeights', weights: [{ role, weight: 2 }] });

const rolesOf = (operations: readonly RegistryOperation[]): readonly string[] =>
  operations.flatMap((operation) => (operation.kind === 'updateWeights' ? operation.weights : [])).map((it) => it.role);

function startStore(seed: number) {
  const timeline = createTimeline();
  const written: string[] = [];
  const store = createRegistryStore(
    timeline,
    seededRandom(seed),
    (operations) => void written.push(...rolesOf(operations)),
  );
  const epoch = store.nextEpoch();
  store.read(epoch);
  return { timeline, written, store, epoch };
}

test('REGISTRY-STORE-1: an append is answered after it was written, and the next reader finds it', () => {
  const { timeline, written, store, epoch } = startStore(1);
  const answers: boolean[] = [];
  store.append(epoch, [setWeight('red')], (isWritten) => {
    answers.push(isWritten === 'written');
    assert.deepEqual(written, ['red']);
    assert.deepEqual([...store.read(store.nextEpoch()).weights], [['red', 2]]);
  });
  assert.deepEqual(answers, []);
  timeline.runUntil(1_000);
  assert.deepEqual(answers, [true]);
});

test('REGISTRY-STORE-4: the append whose answer is lost was written; later ones are answered', () => {
  const { timeline, written, store, epoch } = startStore(1);
  const answers: string[] = [];
  store.losesNextResponse = true;
  for (const role of ['red', 'blue']) {
    store.append(epoch, [setWeight(role)], (outcome) => void answers.push(outcome));
    timeline.runUntil(timeline.nowMs() + 1_000);
  }
  assert.deepEqual(
    [answers, written],
    [
      ['unknown', 'written'],
      ['red', 'blue'],
    ],
  );
});

test('REGISTRY-STORE-2: once a newer epoch has read, appends of an older one are refused, also those under way', () => {
  const { timeline, written, store, epoch } = startStore(1);
  const answers: string[] = [];
  const append = (from: number, role: string): void =>
    store.append(from, [setWeight(role)], (isWritten) => void answers.push(`${role} ${isWritten}`));
  append(epoch, 'underWay');
  const newer = store.nextEpoch();
  store.read(newer);
  timeline.runUntil(1_000);
  append(epoch, 'tooLate');
  timeline.runUntil(2_000);
  append(newer, 'newer');
  timeline.runUntil(3_000);
  assert.deepEqual(answers, ['underWay fenced', 'tooLate fenced', 'newer written']);
  assert.deepEqual(written, ['newer']);

  append(newer, 'crashed');
  store.read(store.nextEpoch());
  store.crash(newer);
  assert.deepEqual(written, ['newer'], 'a crash writes nothing for an older epoch either');
});

test('REGISTRY-STORE-3: a crash keeps a prefix of the unanswered appends of its master and answers none of them', () => {
  const roles = ['a', 'b', 'c'];
  const kept = new Set<number>();
  for (let seed = 1; seed <= 50; seed++) {
    const { timeline, written, store, epoch } = startStore(seed);
    for (const role of roles) {
      store.append(epoch, [setWeight(role)], () => assert.fail(`${role} was answered after the crash`));
    }
    const lost = store.crash(epoch);
    timeline.runUntil(1_000);
    assert.deepEqual(written, roles.slice(0, roles.length - lost));
    kept.add(written.length);
  }
  assert.deepEqual([...kept].sort(), [0, 1, 2, 3]);
});

test('REGISTRY-STORE-5: while the store answers nothing it writes nothing; then it writes, or refuses an older epoch', () => {
  for (const isFenced of [false, true]) {
    const { timeline, written, store, epoch } = startStore(1);
    const answers: string[] = [];
    store.answersFromMs = 20_000;
    store.append(epoch, [setWeight('red')], (outcome) => void answers.push(outcome));
    timeline.runUntil(19_000);
    assert.deepEqual([answers, written], [[], []]);
    if (isFenced) store.read(store.nextEpoch());
    timeline.runUntil(25_000);
    assert.deepEqual([answers, written], isFenced ? [['fenced'], []] : [['written'], ['red']]);
  }
});
