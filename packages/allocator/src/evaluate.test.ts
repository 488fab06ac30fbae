import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatResources } from '@meseta/resources';
import { hasAgent } from './agent-set.js';
import { allocateToClient } from './allocations.js';
import {
  canServeGuarantee,
  cutToQuota,
  evaluate,
  mayYieldOffer,
  needsHeadroom,
  topLevelOf,
  visibleTo,
} from './evaluate.js';
import { addFilter } from './filters.js';
import { setQuota } from './roles.js';
import type { Agent, Client, State } from './state.js';
import { quotaOf, res, sharedVolume } from './testing/cluster.js';
import { testState } from './testing/state.js';

const shown = (state: State, agent: Agent, client: Client): string => {
  const bundle = evaluate(state, agent, client);
  return bundle === undefined ? '-' : formatResources(bundle.resources);
};

test('headroom is needed exactly while a guarantee is unmet', () => {
  const { state, agent, framework } = testState();
  assert.equal(needsHeadroom(state), false);
  setQuota(state, 'r', quotaOf({ mem: 10 }));
  assert.equal(needsHeadroom(state), true);
  framework('f', ['r']);
  agent('A', 'mem(r):10');
  assert.equal(needsHeadroom(state), false);
});

test('an agent may yield an offer if it has the master’s minimum free, or anything if a framework has minimums', () => {
  const { state, agent, framework } = testState();
  assert.deepEqual(
    ['cpus:1', 'disk:1', ''].map((total) => mayYieldOffer(state, agent(total, total))),
    [true, false, false],
  );
  framework('f', ['r']);
  for (const it of state.frameworks.values()) state.frameworksWithMinimums.add(it);
  assert.deepEqual(
    [...state.agents.values()].map((it) => mayYieldOffer(state, it)),
    [true, true, false],
  );
});

test('each evaluation is counted', () => {
  const { state, agent, framework, client } = testState();
  framework('f', ['r']);
  const own = agent('A', 'cpus:1');
  for (let i = 0; i < 3; i++) evaluate(state, own, client('f', 'r'));
  assert.equal(state.pairsExamined, 3);
});

test('quota cuts to the room under the limits of the role and its ancestors', () => {
  for (const [limits, guarantees, expected] of [
    [{}, {}, 'cpus:4; mem:100'],
    [{ r: { cpus: 4 } }, {}, 'cpus:4; mem:100'],
    [{ r: { cpus: 3 } }, {}, 'cpus:3; mem:100'],
    [{ r: { cpus: 3 }, 'r/x': { cpus: 2 } }, {}, 'cpus:2; mem:100'],
    [{ r: { cpus: 2 }, 'r/x': { cpus: 3, mem: 0 } }, {}, 'cpus:2'],
    [{ r: { cpus: 0, mem: 0 } }, {}, '-'],
    [{ other: { cpus: 0 } }, {}, 'cpus:4; mem:100'],
    [{}, { other: { cpus: 1 } }, 'cpus:3; mem:100'],
    [{}, { other: { cpus: 5, mem: 100 } }, '-'],
    [{}, { other: { cpus: 3 }, r: { cpus: 2 } }, 'cpus:2; mem:100'],
    [{}, { other: { cpus: 1 }, r: { cpus: 2 } }, 'cpus:3; mem:100'],
    [{ r: { cpus: 1 } }, { other: { cpus: 1 }, r: { cpus: 2 } }, 'cpus:1; mem:100'],
  ] as [Record<string, Record<string, number>>, Record<string, Record<string, number>>, string][]) {
    const { state, agent, framework, client } = testState();
    framework('f', ['r/x']);
    const own = agent('A', 'cpus:4;mem:100');
    for (const role of new Set([...Object.keys(limits), ...Object.keys(guarantees)])) {
      setQuota(state, role, quotaOf(guarantees[role] ?? {}, limits[role] ?? {}));
    }
    assert.equal(shown(state, own, client('f', 'r/x')), expected, JSON.stringify([limits, guarantees]));
  }
});

test('what quota withholds puts the agent on the wake lists of the limiting roles and of headroom, for an offer only', () => {
  const { state, agent, framework, client, role } = testState();
  framework('f', ['r/x']);
  const own = agent('A', 'cpus:4;mem:100;disk:7');
  setQuota(state, 'r', quotaOf({}, { cpus: 3, mem: 100 }));
  setQuota(state, 'r/x', quotaOf({}, { cpus: 5 }));
  setQuota(state, 'other', quotaOf({ mem: 40 }));
  const lists = () => [
    hasAgent(role('r').withheldByLimit, own.index),
    hasAgent(role('r/x').withheldByLimit, own.index),
    hasAgent(state.withheldByHeadroom, own.index),
    role('r').withheldMask,
    role('r/x').withheldMask,
    own.withheldMask,
  ];
  const view = visibleTo(state, own, client('f', 'r/x'));
  cutToQuota(state, own, client('f', 'r/x'), view, false);
  assert.deepEqual(lists(), [false, false, false, 0, 0, 0]);
  evaluate(state, own, client('f', 'r/x'));
  const bitOf = (name: string) => 1 << state.dimensions.indexOf(name);
  assert.deepEqual(lists(), [true, false, true, bitOf('cpus'), 0, bitOf('mem')]);
});

test('a view that fits quota is not cut', () => {
  const { state, agent, framework, client } = testState();
  framework('f', ['r']);
  const own = agent('A', 'cpus:4');
  // A name that other agents have has an amount of zero in the vector of this one.
  state.dimensions.indexOf('cpus');
  setQuota(state, 'r', quotaOf({}, { cpus: 4 }));
  const view = visibleTo(state, own, client('f', 'r'));
  assert.equal(cutToQuota(state, own, client('f', 'r'), view, true), view);
});

test('a filter is applied to the resources after quota', () => {
  const { state, agent, framework, client } = testState();
  framework('f', ['r']);
  const own = agent('A', 'cpus:4;mem:100');
  addFilter(state.filters, own.index, client('f', 'r').index, state.table.intern(res('cpus:2;mem:100')), 0, 1000);
  assert.equal(shown(state, own, client('f', 'r')), 'cpus:4; mem:100');
  setQuota(state, 'r', quotaOf({}, { cpus: 2 }));
  assert.equal(shown(state, own, client('f', 'r')), '-');
});

test('an agent serves the guarantee of a client’s top-level role if it has some of what the role lacks, within limits', () => {
  const cases: [what: string, total: string, role: string, limits: Record<string, number>, expected: boolean][] = [
    ['what the role lacks', 'cpus:1;mem:1', 'r', {}, true],
    ['for a role below it', 'cpus:1', 'r/x', {}, true],
    ['nothing that it lacks', 'mem:100;disk:5', 'r', {}, false],
    ['a part of the guarantee that is met', 'gpus:1', 'r', {}, false],
    ['only reserved resources', 'cpus(r):1', 'r', {}, false],
    ['a limit that is reached', 'cpus:1', 'r', { cpus: 0 }, false],
    ['a limit of another resource', 'cpus:1', 'r', { mem: 0 }, true],
    ['another role', 'cpus:1', 'other', {}, false],
  ];
  for (const [what, total, role, limits, expected] of cases) {
    const { state, agent, framework, client } = testState({ filterGpuResources: false });
    setQuota(state, 'r', quotaOf({ cpus: 3, gpus: 2 }, limits));
    framework('f', [role]);
    agent('reservations', 'gpus(r):2');
    assert.equal(canServeGuarantee(state, agent('A', total), client('f', role)), expected, what);
  }
  const { state, agent, framework, client } = testState();
  setQuota(state, 'r', quotaOf({ cpus: 3 }));
  framework('f', ['r']);
  assert.equal(canServeGuarantee(state, agent('A', 'cpus:1;gpus:1'), client('f', 'r')), false, 'an agent with GPUs');
});

test('a limit of a child role keeps an agent from serving the guarantee of the top-level role', () => {
  const { state, agent, framework, client } = testState();
  setQuota(state, 'r', quotaOf({ cpus: 3 }));
  setQuota(state, 'r/x', quotaOf({}, { cpus: 0 }));
  framework('f', ['r/x', 'r/y']);
  const own = agent('A', 'cpus:1');
  assert.deepEqual(
    ['r/x', 'r/y'].map((role) => canServeGuarantee(state, own, client('f', role))),
    [false, true],
  );
  assert.equal(topLevelOf(client('f', 'r/x').role).name, 'r');
});

test('a shared resource that is offered to the client is not visible to it', () => {
  const volume = sharedVolume('r');
  const { state, agent, framework, client } = testState();
  framework('f', ['r'], ['SHARED_RESOURCES']);
  framework('g', ['r'], ['SHARED_RESOURCES']);
  const own = agent('A', [...res('cpus:4'), volume]);
  const namesFor = (id: string) =>
    visibleTo(state, own, client(id, 'r'))
      .bundle.resources.map(({ name }) => name)
      .join();
  const bundle = state.table.intern([volume]);
  assert.deepEqual([namesFor('f'), namesFor('g')], ['cpus,disk', 'cpus,disk']);
  allocateToClient(state, own, client('f', 'r'), bundle, true);
  assert.deepEqual([namesFor('f'), namesFor('g')], ['cpus,disk', 'cpus,disk']);
  allocateToClient(state, own, client('f', 'r'), bundle, false);
  assert.deepEqual([namesFor('f'), namesFor('g')], ['cpus', 'cpus,disk']);
});
