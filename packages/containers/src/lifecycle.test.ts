import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import {
  type ContainerRecord,
  type LifecycleEffect,
  type LifecycleInput,
  type LifecycleState,
  stepLifecycle,
} from './lifecycle.js';
import { spec as plainSpec, planned } from './testing/plans.js';
import type { ContainerEvent, ContainerSpec, Limitation, RecoveredContainer } from './types.js';

const id = 'c' as ContainerId;
const plan = planned({});
const limitation: Limitation = { resources: [], reason: 'REASON_CONTAINER_LIMITATION_DISK', message: 'too much' };
const spec: ContainerSpec = { ...plainSpec, containerId: id, uris: [{ value: 'http://x/y' }] };

/** What survives the agent's process: records, the launcher's containers, and what isolators have made. */
interface Machine {
  readonly records: Map<ContainerId, ContainerRecord>;
  readonly launched: Map<ContainerId, RecoveredContainer>;
  readonly made: Set<ContainerId>;
}

const emptyMachine = (): Machine => ({ records: new Map(), launched: new Map(), made: new Set() });

class Crash extends Error {}

/** A process of the agent, which crashes before it carries out the effect with the number `crashAt`. */
function startProcess(machine: Machine, crashAt = Number.POSITIVE_INFINITY) {
  const state: LifecycleState = new Map();
  const events: ContainerEvent[] = [];
  const kinds: string[] = [];
  let recovered: readonly RecoveredContainer[] = [];
  const exit = (status: RecoveredContainer & { state: 'ended' }): void => {
    if (machine.launched.get(id)?.state !== 'running') return;
    machine.launched.set(id, status);
    input({ kind: 'launcher', event: { kind: 'exited', containerId: id, status: status.status } });
  };
  function perform(effect: LifecycleEffect): void {
    if (kinds.length === crashAt) throw new Crash();
    kinds.push(effect.kind);
    switch (effect.kind) {
      case 'prepare':
        machine.records.set(id, effect.record);
        machine.made.add(id);
        return input({ kind: 'prepared', containerId: id, plan });
      case 'fetch':
        return input({ kind: 'fetched', containerId: id, plan });
      case 'start':
        machine.launched.set(id, { containerId: id, state: 'running', pid: 7 });
        return input({ kind: 'launcher', event: { kind: 'started', containerId: id, pid: 7 } });
      case 'destroy':
        if (effect.record !== undefined) machine.records.set(id, effect.record);
        return exit({ containerId: id, state: 'ended', status: { kind: 'signaled', signal: 9 } });
      case 'cleanUp':
        machine.made.delete(id);
        return input({ kind: 'cleanedUp', containerId: id });
      case 'remove':
        machine.launched.delete(id);
        machine.records.delete(id);
        return;
      case 'report':
        events.push(effect.event);
        return;
      case 'recovered':
        recovered = effect.containers;
        return;
      default:
    }
  }
  function input(it: LifecycleInput): void {
    for (const effect of stepLifecycle(state, it)) perform(effect);
  }
  return {
    events,
    kinds,
    state,
    input,
    exit: () => exit({ containerId: id, state: 'ended', status: { kind: 'exited', code: 3 } }),
    recover(): readonly RecoveredContainer[] {
      input({ kind: 'recover', records: [...machine.records.values()], launched: [...machine.launched.values()] });
      return recovered;
    },
  };
}

type Process = ReturnType<typeof startProcess>;

const stories: Readonly<Record<string, (process: Process) => void>> = {
  'exits by itself': (process) => {
    process.input({ kind: 'launch', spec });
    process.exit();
    process.input({ kind: 'remove', containerId: id });
  },
  'is destroyed': (process) => {
    process.input({ kind: 'launch', spec });
    process.input({ kind: 'destroy', containerId: id });
    process.input({ kind: 'remove', containerId: id });
  },
  'exceeds a limit': (process) => {
    process.input({ kind: 'launch', spec });
    process.input({ kind: 'limited', containerId: id, limitation });
    process.input({ kind: 'remove', containerId: id });
  },
};

for (const [name, play] of Object.entries(stories)) {
  test(`LIFECYCLE-1: a container that ${name} is prepared, started and ends once, and nothing of it stays`, () => {
    const machine = emptyMachine();
    const process = startProcess(machine);
    play(process);
    assert.deepEqual(process.kinds.slice(0, 5), ['prepare', 'fetch', 'start', 'report', 'watch']);
    assert.deepEqual(
      process.events.map(({ kind }) => kind),
      ['started', 'exited'],
    );
    const [, end] = process.events;
    assert.deepEqual(end?.kind === 'exited' && end.limitation, name === 'exceeds a limit' ? limitation : undefined);
    assert.deepEqual(machine, emptyMachine());
    assert.equal(process.state.size, 0);
  });

  test(`LIFECYCLE-2: after a crash at any point a container that ${name} is undone, runs on, or has its end reported`, () => {
    let crashes = 0;
    for (let crashAt = 0; ; crashAt++) {
      const machine = emptyMachine();
      const before = startProcess(machine, crashAt);
      let hasCrashed = false;
      try {
        play(before);
      } catch (error) {
        assert.ok(error instanceof Crash);
        hasCrashed = true;
      }
      if (!hasCrashed) break;
      crashes++;
      const wasStarted = machine.launched.has(id);
      const wasLimited = machine.records.get(id)?.limitation !== undefined;
      // The recovery may crash too, at any point, and is repeated.
      for (let again = 0; again < 4; again++) {
        try {
          startProcess(machine, again).recover();
        } catch (error) {
          assert.ok(error instanceof Crash);
        }
      }
      const after = startProcess(machine);
      const [found] = after.recover();
      assert.equal(found !== undefined, wasStarted, `crash at ${crashAt}`);
      if (found?.state === 'running' && !wasLimited) after.exit();
      if (wasLimited) {
        const ends = [...after.events, ...(found?.state === 'ended' ? [found] : [])];
        assert.deepEqual(
          ends.map((end) => 'limitation' in end && end.limitation),
          [limitation],
        );
      }
      assert.equal(machine.made.size, 0, 'isolators have cleaned up');
      after.input({ kind: 'remove', containerId: id });
      assert.deepEqual(machine, emptyMachine(), `crash at ${crashAt}`);
    }
    assert.ok(crashes >= 6, `${crashes} crashes`);
  });
}

test('LIFECYCLE-3: an end is reported when isolators have cleaned up, and a failed step or launch is one', () => {
  const failures: readonly [LifecycleInput, 'fetch' | 'launch'][] = [
    [{ kind: 'stepFailed', containerId: id, stage: 'fetch', message: 'no file' }, 'fetch'],
    [{ kind: 'launcher', event: { kind: 'launchFailed', containerId: id, message: 'no file' } }, 'launch'],
  ];
  for (const [failure, stage] of failures) {
    const state: LifecycleState = new Map();
    stepLifecycle(state, { kind: 'launch', spec });
    assert.deepEqual(stepLifecycle(state, failure), [{ kind: 'cleanUp', containerId: id }]);
    const event = { kind: 'launchFailed', containerId: id, stage, message: 'no file' };
    const [report, ...others] = stepLifecycle(state, { kind: 'cleanedUp', containerId: id });
    assert.deepEqual([report, others], [{ kind: 'report', event }, []]);
    assert.deepEqual(stepLifecycle(state, { kind: 'cleanedUp', containerId: id }), []);
  }
});

test('LIFECYCLE-1: a container that is destroyed while it is prepared is never started', () => {
  const state: LifecycleState = new Map();
  stepLifecycle(state, { kind: 'launch', spec });
  assert.deepEqual(stepLifecycle(state, { kind: 'destroy', containerId: id }), [{ kind: 'abort', containerId: id }]);
  assert.deepEqual(stepLifecycle(state, { kind: 'prepared', containerId: id, plan }), [
    { kind: 'cleanUp', containerId: id },
  ]);
  const [report] = stepLifecycle(state, { kind: 'cleanedUp', containerId: id });
  assert.match(JSON.stringify(report), /launchFailed.*destroyed before it was launched/);
});

test('LIFECYCLE-1: an id that is in use, or that is no name of a file, is refused', () => {
  const state: LifecycleState = new Map();
  stepLifecycle(state, { kind: 'launch', spec });
  for (const wrong of ['c', '../c', '', '.hidden', 'a/b', 'a\nb', 'x'.repeat(242)]) {
    const [effect, ...others] = stepLifecycle(state, {
      kind: 'launch',
      spec: { ...spec, containerId: wrong as ContainerId },
    });
    assert.match(JSON.stringify(effect), /"report".*launchFailed.*container id/, wrong);
    assert.equal(others.length, 0);
  }
  assert.equal(state.size, 1);
});

test('LIFECYCLE-4: signals wait for the start, each once; repeated calls change nothing', () => {
  const state: LifecycleState = new Map();
  const effects: LifecycleEffect[] = [...stepLifecycle(state, { kind: 'launch', spec: { ...spec, uris: [] } })];
  for (let round = 0; round < 100; round++) {
    for (const signal of [15, 2, 0, 65, -9, 0.5]) {
      effects.push(...stepLifecycle(state, { kind: 'signal', containerId: id, signal }));
    }
  }
  assert.equal(effects.length, 1);
  assert.deepEqual(stepLifecycle(state, { kind: 'prepared', containerId: id, plan }), [
    { kind: 'start', containerId: id, plan },
    { kind: 'signal', containerId: id, signal: 15 },
    { kind: 'signal', containerId: id, signal: 2 },
  ]);
  stepLifecycle(state, { kind: 'launcher', event: { kind: 'started', containerId: id, pid: 7 } });
  assert.equal(stepLifecycle(state, { kind: 'limited', containerId: id, limitation }).length, 1);
  assert.deepEqual(stepLifecycle(state, { kind: 'limited', containerId: id, limitation }), []);
});
