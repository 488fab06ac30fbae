import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COVERAGE_FILE, coverageDocument } from './document.js';
import { agentMetricKinds, generalName, masterMetricKinds } from './metric-names.js';

test('docs/coverage.md lists what the declarations and the code support', () => {
  assert.ok(
    readFileSync(COVERAGE_FILE, 'utf8') === coverageDocument(),
    `${COVERAGE_FILE} is out of date: run node scripts/coverage.mjs`,
  );
});

const facts = '../shared/facts/metrics.csv';

test("metrics have the kinds that Mesos' documents give", { skip: !existsSync(facts) && 'no facts here' }, () => {
  const kinds = new Map([...masterMetricKinds(), ...agentMetricKinds()]);
  const documented = readFileSync(facts, 'utf8')
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','))
    // A metric by the state of operations is a gauge or a counter, depending on the state.
    .filter(([, , name = '']) => !name.includes('<OPERATION_'))
    .flatMap(([, , name = '', kind = '']) => {
      const found = kinds.get(generalName(name));
      return found === undefined ? [] : [{ name, kind: kind.toLowerCase(), found }];
    });
  assert.ok(documented.length > 150, `${documented.length} documented metrics exist`);
  for (const { name, kind, found } of documented) assert.equal(found, kind, name);
});
