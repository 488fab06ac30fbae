import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_MASTER_OPTIONS } from '@meseta/master/core/options';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import { QUIET_NETWORK } from '../engine/network.js';
import type { MasterProcess } from '../nodes/master.js';
import { createMasters } from '../nodes/masters.js';
import { createWorld } from '../world.js';
import { createRecordKeeper } from './records.js';

/** Two processes of a master, one after the other. */
function startTwice(): readonly [MasterProcess, MasterProcess] {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const processes: MasterProcess[] = [];
  world.observers.push({ masterStarted: (master) => void processes.push(master) });
  const masters = createMasters(world, 1, DEFAULT_MASTER_OPTIONS, [1]);
  world.timeline.runUntil(5_000);
  masters.crash(0, 'reset', 1_000);
  world.timeline.runUntil(10_000);
  const [first, second] = processes;
  assert(first !== undefined && second !== undefined);
  return [first, second];
}

const setWeight = (weight: number): RegistryOperation => ({
  kind: 'updateWeights',
  weights: [{ role: 'red', weight }],
});

test("RECORDS-1: a master's records are those of the store at its election and its own answered appends", () => {
  const [first, second] = startTwice();
  const keeper = createRecordKeeper();
  const { observer } = keeper;
  const weights = (): readonly (number | undefined)[] =>
    [keeper.durable, keeper.of(first), keeper.of(second)].map((records) => records.weights.get('red'));
  const append = (master: MasterProcess, weight: number): void =>
    observer.masterStepped?.(master, { kind: 'tick' }, [{ kind: 'persist', operations: [setWeight(weight)] }]);
  const answer = (master: MasterProcess): void => observer.beforeMasterStep?.(master, { kind: 'persisted' });

  observer.registryWritten?.([setWeight(2)], 1);
  observer.masterStarted?.(first);
  observer.registryWritten?.([setWeight(3)], 1);
  observer.masterStarted?.(second);
  assert.deepEqual(weights(), [3, 2, 3], 'each as the store was at its election');

  append(second, 4);
  observer.registryWritten?.([setWeight(4)], 1);
  assert.deepEqual(weights(), [4, 2, 3], 'written, and not answered yet');
  observer.beforeMasterStep?.(second, { kind: 'tick' });
  assert.deepEqual(weights(), [4, 2, 3], 'a tick answers nothing');

  append(first, 5);
  answer(second);
  assert.deepEqual(weights(), [4, 2, 4], 'the answer to one master is not an answer to the other');
});
