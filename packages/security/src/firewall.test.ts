import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter, masterEndpoints } from '@meseta/api';
import { parseFirewall } from './firewall.js';
import { errorOf } from './testing.js';

const route = createRouter('master', masterEndpoints);

test('FIREWALL-1: a rule disables an endpoint under every path that the router maps to it', () => {
  const paths = ['/files/browse', '/master/state', '/quota/web', '/nowhere'];
  const parsed = parseFirewall('master', JSON.stringify({ disabled_endpoints: { paths } }));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.warnings, ['"/nowhere" is not an endpoint of this master']);
  const isShut = (path: string): boolean => {
    const routed = route(path);
    return routed === undefined || parsed.value.firewall(routed)?.code === 'forbidden';
  };
  for (const path of [
    '/files/browse/',
    '/files/%62rowse',
    '/files%2fbrowse',
    '/state',
    '/master/state',
    '/%73tate',
    '/master/%73tate/x',
    '/state%2f',
    '/quota/web',
    '/master/quota/web/',
  ]) {
    assert.ok(isShut(path), path);
  }
  for (const path of ['/files/read', '/state-summary', '/quota', '/quota/webs']) assert.ok(!isShut(path), path);
  // Paths are decoded once, as the router does; a path that is encoded twice has no endpoint.
  assert.equal(route('/%2573tate'), undefined);
  assert.ok(!parseFirewall('master', '{"disabled_endpoints":{"paths":["files"]}}').ok);
  // A misspelt field disables nothing, so there is a warning.
  const misspelt = parseFirewall('master', '{"disabled_endpoint":{"paths":["/files/debug"]}}');
  assert.ok(misspelt.ok);
  assert.match(misspelt.value.warnings.join(), /no endpoint is disabled/);
});

test("FIREWALL-1: the rest of a rule's path limits the rule to paths that begin with its parts", () => {
  const rules = (...paths: string[]) => parseFirewall('master', JSON.stringify({ disabled_endpoints: { paths } }));
  const made = rules('/quota/web', '/quota/db/x', '/state');
  assert.ok(made.ok);
  const { firewall, warnings } = made.value;
  assert.deepEqual(warnings, []);
  const table: readonly (readonly [name: keyof typeof masterEndpoints, rest: string, disabled: boolean])[] = [
    ['quota', 'web', true],
    ['quota', 'web/a', true],
    ['quota', 'webs', false],
    ['quota', 'db', false],
    ['quota', 'db/x', true],
    ['quota', '', false],
    ['state', '', true],
    ['state', 'anything', true],
    ['flags', '', false],
  ];
  for (const [name, rest, disabled] of table) {
    const endpoint = masterEndpoints[name];
    const refused = firewall({ endpoint, rest });
    assert.equal(refused?.text, disabled ? `Endpoint '${endpoint.path}' is disabled` : undefined, `${name} ${rest}`);
  }
  const unknown = rules('/nothing');
  assert.deepEqual(unknown.ok && unknown.value.warnings, ['"/nothing" is not an endpoint of this master']);
  assert.equal(
    errorOf(rules('state')),
    'field \'disabled_endpoints.paths\': expected paths that start with /, got "state"',
  );
  assert.ok(parseFirewall('agent', '{}').ok);
});
