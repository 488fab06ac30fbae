import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { rulesOf, SUITES_FILE, suitesDocument } from './document.js';

const SUITES = ['election', 'log'].map((name) => `packages/coordination/src/testing/${name}-suite.ts`);

test('docs/coordination-suites.md has each rule of the suites and no other, and each has passed', () => {
  const titles = SUITES.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\btest\('([^']*)'/g)].map(([, title]) => title),
  );
  const rows = [...readFileSync(SUITES_FILE, 'utf8').matchAll(/^\| (.*) \| (\w*) \| (\w*) \| (\w+) \| (\w+) \|$/gm)]
    .filter(([, title]) => title !== 'rule')
    .map(([, title, ...cells]) => ({ title, cells }));
  const advice = `${SUITES_FILE} is out of date: run node scripts/coordination-suites.mjs`;
  assert.ok(titles.length > 20);
  assert.deepEqual(rows.map(({ title }) => title).sort(), titles.sort(), advice);
  for (const { title, cells } of rows)
    assert.ok(
      cells.every((cell) => cell === 'passed' || cell === ''),
      `${advice}: ${title}`,
    );
});

test('a failed and a skipped test of a run are told from one that passed', () => {
  const tap = [
    '    ok 1 - a rule',
    '    not ok 2 - FENCEDLOG-1: another',
    'not ok 1 - log etcd, over a network',
    '    ok 1 - a rule # SKIP no zookeeper server',
    'ok 2 - log ZooKeeper, over a network # SKIP',
    'ok 3 - no suite',
  ].join('\n');
  const rules = rulesOf(tap);
  assert.deepEqual(
    rules.map(({ suite, title, outcomes }) => [suite, title, Object.fromEntries(outcomes)]),
    [
      ['log, over a network', 'a rule', { etcd: 'passed', ZooKeeper: 'skipped' }],
      ['log, over a network', 'FENCEDLOG-1: another', { etcd: 'failed' }],
    ],
  );
  const servers = { memory: 'm', LMDB: 'l', ZooKeeper: 'z', etcd: 'e' };
  assert.match(suitesDocument(rules, servers), /^\| a rule \| {2}\| {2}\| skipped \| passed \|$/m);
});
