import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentEndpoints, createRouter, masterEndpoints } from './index.js';

const masterRoute = createRouter('master', masterEndpoints);

const agentRoute = createRouter('agent', agentEndpoints);

/** As libprocess routes them: additional slashes count before the name of a process and inside the path of an endpoint. */
const slashes: readonly (readonly [path: string, master: string | undefined, agent: string | undefined])[] = [
  ['/state', 'state', 'state'],
  ['/state/', 'state', 'state'],
  ['//state', 'state', 'state'],
  ['///state//', 'state', 'state'],
  ['/master/state', 'state', undefined],
  ['/master//state', 'state', undefined],
  ['/master///state/', 'state', undefined],
  ['//master/state', undefined, undefined],
  ['/slave(1)//state', undefined, 'state'],
  ['//slave(1)/state', undefined, undefined],
  ['//api/v1', 'operator', 'operator'],
  ['//api//v1', undefined, undefined],
  ['//health', 'health', 'health'],
  ['/version//', 'version', 'version'],
  ['//version', undefined, undefined],
  ['/metrics//snapshot', 'metrics', 'metrics'],
  ['//metrics/snapshot', undefined, undefined],
  ['/maintenance//schedule', undefined, undefined],
  ['//containers', undefined, 'containers'],
];

for (const [path, master, agent] of slashes) {
  test(`slashes in a path count as in libprocess: ${path}`, () => {
    assert.deepEqual([masterRoute(path)?.name, agentRoute(path)?.name], [master, agent]);
  });
}

test('a path of any length is routed to the endpoint that it begins with', () => {
  const parts = '/a'.repeat(30_000);
  assert.equal(masterRoute(`/quota${parts}`)?.name, 'quota');
  assert.equal(masterRoute(`/quota${parts}`)?.rest, parts.slice(1));
  assert.equal(masterRoute(parts), undefined);
  assert.equal(masterRoute(`/${'quota'.repeat(10_000)}`), undefined);
});

test('a path is routed to its endpoint, with an alias and with slashes at its end', () => {
  const table: readonly (readonly [path: string, name: string | undefined, rest?: string])[] = [
    ['/state', 'state'],
    ['/state/', 'state'],
    ['/master/state', 'state'],
    ['/master/state//', 'state'],
    ['/state.json', undefined],
    ['/metrics/snapshot', 'metrics'],
    ['/master/metrics/snapshot', undefined],
    ['/api/v1', 'operator'],
    ['/api/v1/scheduler', 'scheduler'],
    ['/api/v1/operator', 'operator', 'operator'],
    ['/quota/web', 'quota', 'web'],
    ['/master/quota/a%20b', 'quota', 'a b'],
    ['/system/stats.json', 'systemStats'],
    ['/', undefined],
    ['/nothing-here', undefined],
    ['/%', undefined],
    ['/statesman', undefined],
  ];
  for (const [path, name, rest = ''] of table) {
    const match = masterRoute(path);
    assert.equal(match?.name, name, path);
    if (match !== undefined) assert.equal(match.rest, rest, path);
  }
  assert.equal(agentRoute('/slave(1)/state')?.name, 'state');
  assert.equal(agentRoute('/slave(1)/api/v1/executor')?.name, 'executor');
  assert.equal(agentRoute('/master/state'), undefined);
});
