// The experiments of docs/scale.md with small clusters: that they run, and that what they assert of themselves holds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allocation } from './allocation.js';
import { drawPlots } from './draw.js';
import { hold } from './hold.js';
import { readKept } from './kept.js';
import { paperLoad } from './paper-load.js';
import { sharing } from './sharing.js';
import { linearTicks, linePlot, logarithmicTicks } from './svg.js';
import { withTables } from './tables.js';

const held = hold({ seed: 2, agents: 500, frameworks: 20, tasksPerAgent: 4 });
const loaded = paperLoad({ seed: 2, agents: 100, frameworks: 10, warmUpSeconds: 40, measuredSeconds: 10 });
const shared = sharing({ seed: 2, agents: 20, cpusPerAgent: 4, minutes: 10 });
const machine = { cores: 2, processor: 'x', memoryGiB: 4, node: 'v20' };
const kept = {
  allocation: { machine, results: [allocation(100, 5)] },
  hold: { machine, results: [held] },
  load: { machine, results: [loaded] },
  sharing: { machine, results: [shared] },
};

test('HOLD-1, HOLD-2: 500 agents keep their tasks through a failover, which takes a session and a round of registrations', () => {
  assert.equal(held.tasks, 2000);
  assert.equal(held.launchMs.count, 2000);
  const { electedSeconds, halfOfAgentsSeconds, allAgentsSeconds, curve } = held.failover;
  // The session of the ended master has to expire.
  assert(electedSeconds >= 9 && electedSeconds <= halfOfAgentsSeconds && halfOfAgentsSeconds <= allAgentsSeconds);
  assert.equal(curve.at(-1)?.[1], 1);
});

test('equal seeds of hold give equal virtual times', () => {
  const small = () => hold({ seed: 3, agents: 40, frameworks: 4, tasksPerAgent: 3 });
  const virtual = ({ fillSeconds, launchMs, failover }: ReturnType<typeof hold>) => [
    fillSeconds,
    launchMs,
    failover.curve,
  ];
  assert.deepEqual(virtual(small()), virtual(small()));
});

test('PAPER-LOAD-1: the load of the paper keeps a cluster busy, and every single task ends', () => {
  assert.equal(loaded.overheadMs.count, 10);
  assert(loaded.busy > 0.8 && loaded.busy <= 1, `busy: ${loaded.busy}`);
  assert(loaded.launched > 0);
});

test('SHARING-1, SHARING-2: the shared cluster is used more than four quarters, and every job ends', () => {
  assert(shared.utilisation.shared > shared.utilisation.static);
  for (const { name, jobsEnded, served } of shared.workloads) {
    if (name === 'service') assert((served?.shared ?? 0) > 0.5);
    else assert(jobsEnded.shared > 0, name);
  }
});

test('allocation offers the agents that became free', () => {
  assert.equal(allocation(200, 10).agents, 200);
});

test('every plot is a complete SVG document with finite numbers', () => {
  const drawn = drawPlots(kept);
  assert.equal(new Set(drawn.map(({ name }) => name)).size, 9);
  for (const { name, svg } of drawn) {
    assert(svg.startsWith('<svg ') && svg.endsWith('</svg>\n'), name);
    assert(!/NaN|undefined|Infinity/.test(svg), name);
  }
});

test('each table replaces the text between its markers and nothing else', () => {
  const names = ['circumstances', 'held', 'steps', 'failover', 'load', 'allocation', 'sharing'];
  const parts = names.map((name) => `<!-- ${name}: written by \`npm run plots\` -->\nold\n<!-- end of ${name} -->`);
  const page = withTables(`# A\n\n${parts.join('\n\nbetween\n\n')}\n\nafter\n`, kept);
  assert.match(page, /^# A\n/);
  assert.match(page, /\nafter\n$/);
  assert.equal(page.match(/\nbetween\n/g)?.length, names.length - 1);
  assert.doesNotMatch(page, /\bold\b|NaN|undefined|Infinity/);
  assert.match(page, /\| tasks \| 2,000 \|/);
  assert.equal(withTables(page, kept), page);
  assert.throws(() => withTables('# A', kept), /lacks/);
});

test('docs/scale.md and its plots show the stored results', () => {
  const results = readKept('bench/scale/results');
  const page = readFileSync('docs/scale.md', 'utf8');
  assert.equal(page, withTables(page, results), 'npm run plots writes it');
  for (const { name, svg } of drawPlots(results)) {
    assert.equal(readFileSync(`docs/plots/${name}.svg`, 'utf8'), svg, `npm run plots draws ${name}`);
    assert(page.includes(`(plots/${name}.svg)`), `docs/scale.md shows ${name}`);
  }
});

test('ticks are round and span the values', () => {
  assert.deepEqual(linearTicks(0.93, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks(1400, 6), [0, 500, 1000, 1500]);
  assert.deepEqual(logarithmicTicks(0.03, 700), [0.01, 0.1, 1, 10, 100, 1000]);
  assert.deepEqual(logarithmicTicks(1000, 1000), [1000, 10_000]);
  const x = { label: 'a < b & c', scale: 'linear' } as const;
  assert.match(linePlot({ title: 't', x, y: x, marks: true, series: [] }), /a &lt; b &amp; c/);
});
