// Allocation runs at the sizes of Mesos' published benchmark, beside baselines taken in the same process.
// What each column means, and how to run it: README.md.

import { type AgentSpec, type Allocator, createAllocator, type OfferDecision } from '@meseta/allocator';
import { type AllocatorRecord, createRecord, recordAgent, recordFramework } from '@meseta/allocator/testing/record';
import { scan } from '@meseta/allocator/testing/scan';
import { type AgentId, type FrameworkId, seededRandom } from '@meseta/base';
import { admitResources, parseResources, type Resources } from '@meseta/resources';
import type { FrameworkInfo } from '@meseta/wire';

const quick = process.argv.includes('--small');
const SIZES: [agents: number, frameworks: number][] = quick
  ? [[1000, 200]]
  : [
      [1000, 200],
      [10_000, 1000],
      [20_000, 2000],
      [20_000, 200],
    ];
const ROLES = [1, 100, 1000];
/** The most refusals, which runs and declines make one by one. With --full there is no limit: it takes minutes and gigabytes. */
const MOST_FILTERS = process.argv.includes('--full') ? Number.POSITIVE_INFINITY : 4_000_000;

const ms = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
function timed<T>(action: () => T): [T, number] {
  const start = performance.now();
  const result = action();
  return [result, performance.now() - start];
}

function total(text: string): Resources {
  const parsed = parseResources(text, '*');
  if (!parsed.ok) throw new Error(parsed.error);
  const admitted = admitResources(parsed.value);
  if (!admitted.ok) throw new Error(admitted.error.text);
  return admitted.value;
}

const RESOURCES = total('cpus:24;mem:4096;disk:4096;ports:[31000-32000]');
const agentId = (i: number): AgentId => `agent-${i}` as AgentId;
const frameworkId = (i: number): FrameworkId => `framework-${i}` as FrameworkId;

const infoOf = (i: number, roles: number): FrameworkInfo => ({
  user: 'user',
  name: `f${i}`,
  roles: [`role-${i % roles}`],
  capabilities: [{ type: 'MULTI_ROLE' }],
});

const specOf = (i: number): AgentSpec => ({
  info: { hostname: `host-${i}`, attributes: [] },
  capabilities: (['MULTI_ROLE', 'HIERARCHICAL_ROLE', 'RESERVATION_REFINEMENT'] as const).map((type) => ({ type })),
  total: RESOURCES,
  used: new Map(),
});

function cluster(agents: number, frameworks: number, roles: number): Allocator {
  const allocator = createAllocator({}, seededRandom(1));
  for (let i = 0; i < frameworks; i++) {
    allocator.addFramework(frameworkId(i), infoOf(i, roles), new Map(), true);
  }
  for (let i = 0; i < agents; i++) allocator.addAgent(agentId(i), specOf(i));
  return allocator;
}

/** The record of an allocator's calls after every framework has refused every agent. */
function quietRecord(agents: number, frameworks: number, roles: number): AllocatorRecord {
  const record = createRecord({});
  const ids = Array.from({ length: frameworks }, (_, i) => [frameworkId(i), `role-${i % roles}`] as const);
  for (const [i, [id]] of ids.entries()) recordFramework(record, id, infoOf(i, roles), new Map(), true, {});
  for (let i = 0; i < agents; i++) {
    recordAgent(record, agentId(i), specOf(i));
    const filters = record.agents.get(agentId(i))?.filters;
    for (const [id, role] of ids) {
      filters?.set(id, [{ role, refused: RESOURCES, madeMs: now, untilMs: now + 3_600_000 }]);
    }
  }
  return record;
}

let now = 0;
function declineAll(allocator: Allocator, offers: readonly OfferDecision[], seconds: number): void {
  for (const { frameworkId: by, agentId: on, resources } of offers) {
    allocator.recoverResources(by, on, resources, now, { filters: { refuse_seconds: seconds } });
  }
}

/** The least that an allocator does that evaluates every pair: two array reads and a comparison for each. */
function bareLoop(agents: number, frameworks: number): number {
  const free = new Float64Array(agents).fill(24);
  const refused = new Float64Array(frameworks).fill(24);
  let offered = 0;
  const [, spent] = timed(() => {
    for (let a = 0; a < agents; a++) {
      for (let f = 0; f < frameworks; f++) if ((free[a] as number) > (refused[f] as number)) offered++;
    }
  });
  if (offered > 0) throw new Error('expected no agent to have more free than was refused');
  return spent;
}

/** In each round every offer is declined for 1 s, a second passes, and a run is measured. */
function declineRounds(allocator: Allocator, first: readonly OfferDecision[], rounds: number) {
  let offers = first;
  const runs: number[] = [];
  const declines: number[] = [];
  for (let i = 0; i < rounds; i++) {
    declines.push(timed(() => declineAll(allocator, offers, 1))[1]);
    now += 1000;
    const [decided, spent] = timed(() => allocator.run(now));
    offers = decided.offers;
    runs.push(spent);
  }
  return { offers, run: median(runs), decline: median(declines) };
}

/** Declines every offer for an hour until a run makes none. */
function declineUntilQuiet(allocator: Allocator, first: readonly OfferDecision[]): void {
  let { length } = first;
  let offers = first;
  while (length > 0) {
    declineAll(allocator, offers, 3600);
    offers = allocator.run(now).offers;
    length = offers.length;
  }
}

/** One agent gets more cpus: all clients are evaluated, and one is offered the agent. Then all clients decline it. */
function changeOne(allocator: Allocator, i: number, step: number): number {
  const grown = total(`cpus:${24 + step};mem:4096;disk:4096;ports:[31000-32000]`);
  allocator.updateAgent(agentId(i), { total: grown });
  const [decided, spent] = timed(() => allocator.run(now));
  if (decided.offers.length !== 1) throw new Error(`expected one offer, got ${decided.offers.length}`);
  declineAll(allocator, decided.offers, 3600);
  let { offers } = allocator.run(now);
  while (offers.length > 0) {
    declineAll(allocator, offers, 3600);
    offers = allocator.run(now).offers;
  }
  return spent;
}

function measure(agents: number, frameworks: number, roles: number): string[] {
  now = 0;
  const allocator = cluster(agents, frameworks, roles);
  const [initial, initialMs] = timed(() => allocator.run(now));
  const rounds = declineRounds(allocator, initial.offers, 9);
  const row = [agents, frameworks, roles, initial.offers.length, ms(initialMs), ms(rounds.run), ms(rounds.decline)];
  if (agents * frameworks > MOST_FILTERS) return [...row, '-', '-', '-', ms(bareLoop(agents, frameworks))].map(String);
  declineUntilQuiet(allocator, rounds.offers);
  const idle = median(Array.from({ length: 9 }, () => timed(() => allocator.run(now))[1]));
  const changed = median(Array.from({ length: 9 }, (_, step) => changeOne(allocator, step * 17, step + 1)));
  const quiet = agents * frameworks > 250_000 ? undefined : quietRecord(agents, frameworks, roles);
  const [left, scanMs] = timed(() => (quiet === undefined ? [] : scan(quiet, now)));
  if (left.length > 0) throw new Error('the scan finds an offer although every agent was refused');
  const scanned = agents * frameworks > 250_000 ? '-' : ms(scanMs);
  return [...row, ms(idle), ms(changed), scanned, ms(bareLoop(agents, frameworks))].map(String);
}

const HEAD = [
  'agents',
  'frameworks',
  'roles',
  'offers',
  'initial',
  'again',
  'declines',
  'idle',
  'one agent',
  'scan',
  'bare loop',
];
measure(200, 50, 10);
const rows = [HEAD];
for (const [agents, frameworks] of SIZES) {
  for (const roles of ROLES) {
    if (roles > frameworks && roles > 1000) continue;
    console.error(`${agents} agents, ${frameworks} frameworks, ${roles} roles ...`);
    rows.push(measure(agents, frameworks, Math.min(roles, frameworks)));
    globalThis.gc?.();
  }
}
const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
for (const row of rows) console.log(row.map((cell, i) => cell.padStart(widths[i] as number)).join('  '));
console.log('\ntimes in ms; README.md describes the columns');
