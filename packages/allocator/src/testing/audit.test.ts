// The audit reports faults: each case runs an allocator with one fault.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { createAllocator } from '../allocator.js';
import type { Allocator, AllocatorOptions, OfferDecision } from '../types.js';
import { auditAllocator } from './audit.js';
import { AGENT_CAPABILITIES, aid, fid, frameworkInfo, quotaOf, res } from './cluster.js';
import { createRecord, recordAgent, recordFramework, recordReturn } from './record.js';

type Fault = (allocator: Allocator) => Partial<Allocator>;

/** Makes an audited allocator with the fault, runs the calls, and returns the explanations of the audit. */
function problemsOf(fault: Fault, calls: (allocator: Allocator) => void, options: AllocatorOptions = {}): string[] {
  const problems: string[] = [];
  const allocator = createAllocator(options, seededRandom(1));
  const audited = auditAllocator({ ...allocator, ...fault(allocator) }, options, {
    broken: (_, explanation) => problems.push(explanation),
  });
  calls(audited);
  return problems;
}

const addAgent = (allocator: Allocator, id: string, total: string): void =>
  allocator.addAgent(aid(id), {
    info: { hostname: id },
    capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
    total: res(total),
    used: new Map(),
  });

const addFramework = (allocator: Allocator, id: string, role: string): void =>
  allocator.addFramework(fid(id), frameworkInfo([role]), new Map(), true);

const runOnce = (allocator: Allocator): void => {
  addAgent(allocator, 'A', 'cpus:4;mem:100;cpus(r):1');
  addFramework(allocator, 'f', 'a');
  allocator.run(0);
};

/** Changes the first offer of each run. */
const withOffer =
  (change: (offer: OfferDecision) => Partial<OfferDecision>): Fault =>
  ({ run }) => ({
    run(now) {
      const { offers, inverseOffers } = run(now);
      return { offers: offers.map((offer, i) => (i === 0 ? { ...offer, ...change(offer) } : offer)), inverseOffers };
    },
  });

test('an allocator without a fault passes the audit', () => {
  assert.deepEqual(
    problemsOf(() => ({}), runOnce),
    [],
  );
});

test('AUDIT-1: an offer of the wrong agent, framework, role or resources is reported', () => {
  const cases: [fault: Fault, problem: RegExp][] = [
    [withOffer(() => ({ agentId: aid('B') })), /the agent is not known/],
    [withOffer(() => ({ frameworkId: fid('g') })), /the framework was not added/],
    [withOffer(() => ({ role: 'b' })), /is not subscribed to b/],
    [withOffer(({ resources }) => ({ resources: resources.unallocated })), /a resource is not allocated to the role/],
    [withOffer(({ resources }) => ({ resources: resources.unallocated.allocatedTo('a') })), /^$/],
  ];
  for (const [fault, problem] of cases) {
    const problems = problemsOf(fault, runOnce);
    assert.match(problems[0] ?? '', problem);
  }
});

test('AUDIT-1: an offer of resources that are not free, refused, or of an agent that may not be offered is reported', () => {
  const repeat: Fault = ({ run }) => {
    let first: ReturnType<typeof run> | undefined;
    return {
      run(now) {
        const decisions = run(now);
        first ??= decisions;
        return first;
      },
    };
  };
  const runTwice = (between: (allocator: Allocator) => void, now = 0) =>
    problemsOf(repeat, (allocator) => {
      runOnce(allocator);
      between(allocator);
      allocator.run(now);
    });
  assert.match(runTwice(() => {})[0] ?? '', /not free for that role/);
  assert.match(runTwice((allocator) => allocator.deactivateAgent(aid('A')))[0] ?? '', /the agent is not active/);
  assert.match(runTwice((allocator) => allocator.updateWhitelist([]))[0] ?? '', /the agent is not whitelisted/);
  assert.match(runTwice((allocator) => allocator.pause())[0] ?? '', /the allocator is paused/);
  assert.match(runTwice((allocator) => allocator.suppress(fid('f')))[0] ?? '', /the framework has suppressed a/);
  const refused: Fault = (allocator) => ({ ...repeat(allocator), recoverResources: () => {} });
  const problems = problemsOf(refused, (allocator) => {
    runOnce(allocator);
    const offered = res('cpus:4;mem:100').map((it) => ({ ...it, allocation_info: { role: 'a' } }));
    allocator.recoverResources(fid('f'), aid('A'), offered, 0, { filters: { refuse_seconds: 60 } });
    allocator.run(10);
  });
  assert.match(problems[0] ?? '', /has a filter for it until 60000/);
});

test('ALLOCATOR-5: a second offer of an agent to a client in one run is reported', () => {
  const twice: Fault = ({ run }) => ({
    run(now) {
      const { offers, inverseOffers } = run(now);
      return { offers: [...offers, ...offers], inverseOffers };
    },
  });
  assert.match(problemsOf(twice, runOnce)[0] ?? '', /^cpus:4; mem:100 of A to f in a: the second of one run$/);
});

test('AUDIT-2: a run that leaves out an offer is reported', () => {
  const noOffers: Fault = ({ run }) => ({ run: (now) => ({ ...run(now), offers: [] }) });
  assert.match(problemsOf(noOffers, runOnce)[0] ?? '', /^cpus:4; mem:100 of A to f in a at 0$/);
});

test('AUDIT-3: views that differ from the record are reported', () => {
  const quota = (allocator: Allocator): void => {
    allocator.updateQuota('r', quotaOf({ cpus: 2 }));
    runOnce(allocator);
  };
  const cases: [fault: Fault, problem: RegExp][] = [
    [(allocator) => ({ available: () => allocator.available(aid('A')).allocatedTo('x') }), /^A has .* free, not /],
    [({ totals }) => ({ totals: () => ({ ...totals(), availableHeadroom: totals().total }) }), /^available headroom: /],
    [({ totals }) => ({ totals: () => ({ ...totals(), requiredHeadroom: totals().total }) }), /^required headroom: /],
    [
      ({ roleUsage }) => ({
        roleUsage: (role) => ({ ...roleUsage(role), consumedOrOffered: roleUsage('b').consumed }),
      }),
      /^consumed by r: /,
    ],
    [({ totals }) => ({ totals: () => ({ ...totals(), filters: 1 }) }), /^1 filters, expected 0 to 0$/],
    [() => ({ updateAvailable: () => ({ ok: false, error: 'no' }) }), /refused operations that apply/],
  ];
  for (const [fault, problem] of cases) {
    const problems = problemsOf(fault, (allocator) => {
      quota(allocator);
      allocator.updateAvailable(aid('A'), []);
    });
    assert.ok(
      problems.some((text) => problem.test(text)),
      `${problem}: ${problems.join('; ')}`,
    );
  }
});

test('RECORD-1: a filter is recorded with its requested time, at least one allocation interval', () => {
  const record = createRecord({ allocationIntervalMs: 500 });
  recordAgent(record, aid('A'), {
    info: { hostname: 'A' },
    capabilities: [],
    total: res('cpus:1'),
    used: new Map([[fid('f'), res('cpus:1').map((it) => ({ ...it, allocation_info: { role: 'a' } }))]]),
  });
  recordFramework(record, fid('f'), frameworkInfo(['a']), new Map(), true, {});
  const returned = res('cpus:0.1').map((it) => ({ ...it, allocation_info: { role: 'a' } }));
  for (const seconds of [0.1, 3]) {
    recordReturn(record, fid('f'), aid('A'), returned, 1000, { filters: { refuse_seconds: seconds } });
  }
  assert.deepEqual(
    record.agents
      .get(aid('A'))
      ?.filters.get(fid('f'))
      ?.map(({ madeMs, untilMs }) => [madeMs, untilMs]),
    [
      [1000, 1500],
      [1000, 4000],
    ],
  );
});
