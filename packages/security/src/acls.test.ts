import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '@meseta/api';
import { AUTHORIZABLE_PATHS, parseAcls } from './acls.js';
import { allows, createLocalAuthorizer } from './authorizer.js';
import { principalOf } from './principal.js';

const anyEntity = { type: 'ANY' as const };

const noEntity = { type: 'NONE' as const };

const some = (...values: string[]) => ({ values });

const parsed = (acls: unknown) => parseAcls(JSON.stringify(acls));

const errorOf = (acls: unknown): string => {
  const answer = parsed(acls);
  return answer.ok ? 'taken' : answer.error;
};

test('ACLs of the wrong shape, or without a meaning, are refused with the field', () => {
  const paths = [...AUTHORIZABLE_PATHS].join(', ');
  const table: readonly (readonly [acls: unknown, wanted: string])[] = [
    [{}, 'taken'],
    [{ permissive: false }, 'taken'],
    [[], 'expected a JSON object'],
    [null, 'expected a JSON object'],
    [5, 'expected a JSON object'],
    ['x', 'expected a JSON object'],
    [{ view_flags: [{ principals: anyEntity, flags: anyEntity }] }, 'taken'],
    [{ view_flags: [{ principals: anyEntity, flags: noEntity }] }, 'taken'],
    [
      {
        view_flags: [
          { principals: anyEntity, flags: anyEntity },
          { principals: anyEntity, flags: some('x') },
        ],
      },
      "field 'view_flags[1].flags': expected type ANY or NONE",
    ],
    [{ view_flags: [{ principals: anyEntity, flags: {} }] }, "field 'view_flags[0].flags': expected type ANY or NONE"],
    [
      {
        register_agents: [
          { principals: anyEntity, agents: noEntity },
          { principals: anyEntity, agents: {} },
        ],
      },
      "field 'register_agents[1].agents': expected type ANY or NONE",
    ],
    [{ run_tasks: [{ principals: anyEntity, users: some('/anything') }] }, 'taken'],
    [{ get_endpoints: [{ principals: anyEntity, paths: some('/metrics/snapshot', '/monitor/statistics') }] }, 'taken'],
    [{ get_endpoints: [{ principals: anyEntity, paths: anyEntity }] }, 'taken'],
    [{ get_endpoints: [{ principals: anyEntity, paths: { type: 'ANY', values: ['/state'] } }] }, 'taken'],
    [{ get_endpoints: [{ principals: anyEntity, paths: {} }] }, 'taken'],
    [
      { get_endpoints: [{ principals: anyEntity, paths: some('/metrics/snapshot', '/state') }] },
      `field 'get_endpoints[0].paths': expected ${paths}, got "/state"`,
    ],
  ];
  for (const [acls, wanted] of table) assert.equal(errorOf(acls), wanted);
  const text = parseAcls('{');
  assert.match(text.ok ? '' : text.error, /^expected JSON: .+/);
  assert.match(errorOf({ run_tasks: [{ principals: 5, users: anyEntity }] }), /run_tasks\[0\]\.principals/);
  assert.match(errorOf({ run_tasks: [{ principals: { type: 7 }, users: anyEntity }] }), /run_tasks\[0\]\.principals/);
  assert.match(errorOf({ run_tasks: [{ principals: anyEntity }] }), /run_tasks\[0\]\.users/);
});

test('get_endpoints may name the endpoints that are authorized by path, and no other', () => {
  for (const path of ['/metrics/snapshot', '/logging/toggle', '/monitor/statistics', '/containers'])
    assert.ok(AUTHORIZABLE_PATHS.has(path), path);
  for (const path of ['/state', '/teardown', '/api/v1', '/health']) assert.ok(!AUTHORIZABLE_PATHS.has(path), path);
});

test('lists with a name from before Mesos 1.0 count under the new name; unknown lists give a warning', () => {
  const acl = { principals: some('a'), principals_unused: 1 };
  const answer = parsed({
    permissive: false,
    shutdown_frameworks: [{ ...acl, framework_principals: some('f') }],
    teardown_frameworks: { principals: some('b'), framework_principals: some('g') },
    set_quotas: { principals: some('c'), roles: some('r') },
    surprise: [],
    constructor: [],
  });
  assert.ok(answer.ok);
  assert.deepEqual(answer.value.warnings, [
    "field 'shutdown_frameworks' is now called 'teardown_frameworks'",
    "field 'set_quotas' is now called 'update_quotas'",
    "field 'surprise' is not a list of ACLs and has no effect",
    "field 'constructor' is not a list of ACLs and has no effect",
  ]);
  const { approverFor } = createLocalAuthorizer(answer.value.acls);
  const may = (who: string, action: Action, value: string) => allows(approverFor(principalOf(who), action), { value });
  const table: readonly (readonly [who: string, action: Action, value: string, allowed: boolean])[] = [
    ['a', 'TEARDOWN_FRAMEWORK', 'f', true],
    ['a', 'TEARDOWN_FRAMEWORK', 'g', false],
    ['b', 'TEARDOWN_FRAMEWORK', 'g', true],
    ['c', 'UPDATE_QUOTA', 'r', true],
    ['c', 'UPDATE_QUOTA', 'x', false],
    ['c', 'GET_QUOTA', 'r', false],
  ];
  for (const [who, action, value, allowed] of table) assert.equal(may(who, action, value), allowed, `${who} ${action}`);
});
