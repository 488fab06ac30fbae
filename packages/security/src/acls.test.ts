// ACLs as they are given, and what of an object each action's ACLs compare.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '@meseta/api';
import type { ACLs, AuthorizationObject, Resource } from '@meseta/wire';
import { AUTHORIZABLE_PATHS, parseAcls } from './acls.js';
import { ACTION_RULES } from './actions.js';
import { ALL, allows, allowsAll, createLocalAuthorizer, isBearer, NONE, openAuthorizer } from './authorizer.js';
import { principalOf, principalText } from './principal.js';
import { verdictOn, verdictsOf } from './verdicts.js';

const any = { type: 'ANY' as const };
const nobody = { type: 'NONE' as const };
const some = (...values: string[]) => ({ values });

const parsed = (acls: unknown) => parseAcls(JSON.stringify(acls));
const errorOf = (acls: unknown): string => {
  const answer = parsed(acls);
  return answer.ok ? 'taken' : answer.error;
};

test('ACLs that mean nothing are refused with the field', () => {
  const paths = [...AUTHORIZABLE_PATHS].join(', ');
  const table: readonly (readonly [acls: unknown, wanted: string])[] = [
    [{}, 'taken'],
    [{ permissive: false }, 'taken'],
    [[], 'expected a JSON object'],
    [null, 'expected a JSON object'],
    [5, 'expected a JSON object'],
    ['x', 'expected a JSON object'],
    [{ view_flags: [{ principals: any, flags: any }] }, 'taken'],
    [{ view_flags: [{ principals: any, flags: nobody }] }, 'taken'],
    [
      {
        view_flags: [
          { principals: any, flags: any },
          { principals: any, flags: some('x') },
        ],
      },
      "field 'view_flags[1].flags': expected type ANY or NONE",
    ],
    [{ view_flags: [{ principals: any, flags: {} }] }, "field 'view_flags[0].flags': expected type ANY or NONE"],
    [{ run_tasks: [{ principals: any, users: some('/anything') }] }, 'taken'],
    [{ get_endpoints: [{ principals: any, paths: some('/metrics/snapshot', '/monitor/statistics') }] }, 'taken'],
    [{ get_endpoints: [{ principals: any, paths: any }] }, 'taken'],
    [{ get_endpoints: [{ principals: any, paths: { type: 'ANY', values: ['/state'] } }] }, 'taken'],
    [{ get_endpoints: [{ principals: any, paths: {} }] }, 'taken'],
    [
      { get_endpoints: [{ principals: any, paths: some('/metrics/snapshot', '/state') }] },
      `field 'get_endpoints[0].paths': expected ${paths}, got "/state"`,
    ],
  ];
  for (const [acls, wanted] of table) assert.equal(errorOf(acls), wanted);
  const text = parseAcls('{');
  assert.match(text.ok ? '' : text.error, /^expected JSON: .+/);
  assert.match(errorOf({ run_tasks: [{ principals: 5, users: any }] }), /run_tasks\[0\]\.principals/);
});

test('the paths that get_endpoints may name are those that ask for it', () => {
  for (const path of ['/metrics/snapshot', '/logging/toggle', '/monitor/statistics', '/containers'])
    assert.ok(AUTHORIZABLE_PATHS.has(path), path);
  for (const path of ['/state', '/teardown', '/api/v1', '/health']) assert.ok(!AUTHORIZABLE_PATHS.has(path), path);
});

test('lists of before 1.0 count under their new name, and unknown ones are told of', () => {
  const acl = { principals: some('a'), principals_unused: 1 };
  const answer = parsed({
    permissive: false,
    shutdown_frameworks: [{ ...acl, framework_principals: some('f') }],
    teardown_frameworks: { principals: some('b'), framework_principals: some('g') },
    set_quotas: { principals: some('c'), roles: some('r') },
    surprise: [],
  });
  assert.ok(answer.ok);
  assert.deepEqual(answer.value.warnings, [
    "field 'shutdown_frameworks' is called 'teardown_frameworks' now",
    "field 'set_quotas' is called 'update_quotas' now",
    "field 'surprise' is no list of ACLs and has no effect",
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

const cpus = (more: Partial<Resource>): AuthorizationObject => ({
  resource: { name: 'cpus', type: 'SCALAR', ...more },
});
const info = { user: 'u', name: 'n' };
const task = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' } };
const shown = { ...task, framework_id: { value: 'f' }, state: 'TASK_RUNNING' as const };
const executor = { executor_id: { value: 'e' } };
const reserved = {
  reservations: [
    { role: 'outer', principal: 'p' },
    { role: 'inner', principal: 'q' },
  ],
};
const multi = { capabilities: [{ type: 'REVOCABLE_RESOURCES' as const }, { type: 'MULTI_ROLE' as const }] };

test('what of an object the ACLs of an action compare', () => {
  const value = 'v';
  const table: readonly (readonly [Action, AuthorizationObject, wanted: readonly (string | undefined)[]])[] = [
    ['RUN_TASK', {}, [undefined]],
    ['RUN_TASK', { value }, ['v']],
    ['RUN_TASK', { value, framework_info: info }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, command: { user: 'c' } } }, ['c']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, command: {} } }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: task }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, executor } }, ['u']],
    ['RUN_TASK', { task_info: { ...task, executor: { ...executor, command: { user: 'e' } } } }, ['e']],
    ['VIEW_TASK', { task: { ...shown, user: 't' }, framework_info: info }, ['t']],
    ['VIEW_TASK', { task: shown, framework_info: info }, ['u']],
    ['VIEW_TASK', { task_info: { ...task, command: { user: 'c' } } }, ['c']],
    ['VIEW_TASK', { value }, ['v']],
    ['VIEW_FRAMEWORK', { framework_info: info, value }, ['u']],
    ['VIEW_FRAMEWORK', { value }, ['v']],
    ['VIEW_EXECUTOR', { executor_info: { ...executor, command: { user: 'e' } }, framework_info: info }, ['e']],
    ['VIEW_EXECUTOR', { executor_info: executor, framework_info: info }, ['u']],
    ['VIEW_EXECUTOR', { value }, ['v']],
    ['ACCESS_SANDBOX', { value }, ['v']],
    ['VIEW_CONTAINER', { container_id: { value: 'c' } }, [undefined]],
    ['KILL_NESTED_CONTAINER', { container_id: { value: 'c' } }, ['c']],
    ['KILL_NESTED_CONTAINER', { container_id: { value: 'c' }, framework_info: info }, ['u']],
    ['KILL_NESTED_CONTAINER', {}, [undefined]],
    ['RESERVE_RESOURCES', { value }, ['v']],
    ['RESERVE_RESOURCES', cpus({}), ['*']],
    ['RESERVE_RESOURCES', cpus({ role: 'r' }), ['r']],
    ['RESERVE_RESOURCES', cpus({ role: 'r', ...reserved }), ['inner']],
    ['CREATE_VOLUME', cpus(reserved), ['inner']],
    ['UNRESERVE_RESOURCES', { value }, ['v']],
    ['UNRESERVE_RESOURCES', cpus({}), ['']],
    ['UNRESERVE_RESOURCES', cpus(reserved), ['q']],
    ['UNRESERVE_RESOURCES', cpus({ reservation: { principal: 'o' } }), ['o']],
    ['UNRESERVE_RESOURCES', cpus({ reservation: {} }), ['']],
    ['DESTROY_VOLUME', { value }, ['v']],
    ['DESTROY_VOLUME', cpus({}), ['']],
    ['DESTROY_VOLUME', cpus({ disk: {} }), ['']],
    ['DESTROY_VOLUME', cpus({ disk: { persistence: { id: 'i' } } }), ['']],
    ['DESTROY_VOLUME', cpus({ disk: { persistence: { id: 'i', principal: 'd' } } }), ['d']],
    ['TEARDOWN_FRAMEWORK', { value }, ['v']],
    ['TEARDOWN_FRAMEWORK', { framework_info: info }, ['']],
    ['TEARDOWN_FRAMEWORK', { framework_info: { ...info, principal: 'p' } }, ['p']],
    ['UPDATE_WEIGHT', { value }, ['v']],
    ['UPDATE_WEIGHT', { value, weight_info: { role: 'w', weight: 1 } }, ['w']],
    ['UPDATE_QUOTA', { value }, ['v']],
    ['UPDATE_QUOTA', { value, quota_info: { role: 'q' } }, ['q']],
    ['GET_QUOTA', { value }, ['v']],
    ['VIEW_ROLE', { value }, ['v']],
    ['REGISTER_FRAMEWORK', { value }, ['v']],
    ['REGISTER_FRAMEWORK', { framework_info: info }, ['*']],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, role: 'r', roles: ['a'] } }, ['r']],
    [
      'REGISTER_FRAMEWORK',
      { framework_info: { ...info, role: 'r', capabilities: [{ type: 'GPU_RESOURCES' }] } },
      ['r'],
    ],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, ...multi, role: 'r', roles: ['a', 'b'] } }, ['a', 'b']],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, ...multi } }, []],
  ];
  for (const [action, object, wanted] of table)
    assert.deepEqual(ACTION_RULES[action].values?.(object), wanted, `${action} ${JSON.stringify(object)}`);
});

test('a token of claims opens its own containers by the claim that the action looks at', () => {
  const nested = { value: 'n', parent: { value: 'root' } };
  const cid = { claims: { cid: 'root' } };
  const prefix = { claims: { cid_prefix: 'pre-' } };
  const both: readonly Action[] = ['LAUNCH_NESTED_CONTAINER', 'WAIT_NESTED_CONTAINER', 'ATTACH_CONTAINER_OUTPUT'];
  for (const action of both) {
    const approver = openAuthorizer.approverFor(cid, action);
    assert.equal(allows(approver, { container_id: nested }), true, action);
    assert.equal(allows(approver, { container_id: { value: 'root' } }), true);
    assert.equal(allows(approver, { container_id: { value: 'rooty' } }), false);
    assert.equal(allows(approver, { value: 'root' }), false);
    assert.equal(allows(approver), false);
    assert.equal(openAuthorizer.approverFor(prefix, action), NONE, action);
  }
  const standalone: readonly Action[] = [
    'LAUNCH_STANDALONE_CONTAINER',
    'KILL_STANDALONE_CONTAINER',
    'WAIT_STANDALONE_CONTAINER',
    'REMOVE_STANDALONE_CONTAINER',
    'VIEW_STANDALONE_CONTAINER',
  ];
  for (const action of standalone) {
    const approver = openAuthorizer.approverFor(prefix, action);
    assert.equal(allows(approver, { container_id: { value: 'pre-1' } }), true, action);
    assert.equal(allows(approver, { container_id: { value: 'other' } }), false, action);
    assert.equal(openAuthorizer.approverFor(cid, action), NONE, action);
    assert.equal(openAuthorizer.approverFor({ claims: { cid_prefix: '' } }, action), NONE);
  }
  for (const action of ['VIEW_FLAGS', 'ATTACH_CONTAINER_INPUT', 'RUN_TASK'] as const)
    assert.equal(openAuthorizer.approverFor({ claims: { cid: 'root', cid_prefix: 'pre-' } }, action), NONE, action);
  assert.equal(openAuthorizer.approverFor(undefined, 'VIEW_FLAGS'), ALL);
  assert.equal(openAuthorizer.approverFor(principalOf('a'), 'VIEW_FLAGS'), ALL);
  assert.deepEqual([undefined, principalOf('a'), cid].map(isBearer), [false, false, true]);
});

test('approvers of equal keys answer alike, and a principal’s are its own', () => {
  const acls: ACLs = {
    permissive: false,
    view_roles: [
      { principals: some('a', 'b'), roles: some('r') },
      { principals: some('c'), roles: any },
    ],
    view_flags: [{ principals: some('c'), flags: any }],
    launch_nested_containers_under_parent_with_user: [{ principals: any, users: some('parent') }],
    launch_nested_containers_as_user: [
      { principals: some('a'), users: some('child') },
      { principals: some('b'), users: any },
      { principals: some('c'), users: nobody },
    ],
  };
  const { approverFor } = createLocalAuthorizer(acls);
  const of = (who: string | undefined, action: Action) =>
    approverFor(who === undefined ? undefined : principalOf(who), action);
  for (let round = 0; round < 2; round++) {
    assert.equal(of('a', 'VIEW_ROLE').key, of('b', 'VIEW_ROLE').key);
    assert.equal(of('a', 'VIEW_ROLE'), of('a', 'VIEW_ROLE'), 'made once');
    assert.deepEqual([of('c', 'VIEW_ROLE'), of('d', 'VIEW_ROLE'), of(undefined, 'VIEW_ROLE')], [ALL, NONE, NONE]);
    assert.deepEqual([of('c', 'VIEW_FLAGS'), of('a', 'VIEW_FLAGS')], [ALL, NONE]);
    assert.deepEqual([ALL.key, NONE.key], ['*', '-']);
  }
  const command = (user?: string) => ({
    framework_info: { ...info, user: 'parent' },
    command_info: { ...(user && { user }) },
  });
  const launch = (who: string, object: AuthorizationObject) => allows(of(who, 'LAUNCH_NESTED_CONTAINER'), object);
  const table: readonly (readonly [who: string, AuthorizationObject, allowed: boolean])[] = [
    ['a', command('child'), true],
    ['a', command('other'), false],
    ['a', command(), false],
    ['a', { framework_info: { ...info, user: 'parent' } }, true],
    ['a', { framework_info: { ...info, user: 'other' }, command_info: { user: 'child' } }, false],
    ['b', command('anyone'), true],
    ['c', command('child'), false],
  ];
  for (const [who, object, allowed] of table)
    assert.equal(launch(who, object), allowed, `${who} ${JSON.stringify(object)}`);
  assert.equal(new Set(['a', 'b', 'c'].map((who) => of(who, 'LAUNCH_NESTED_CONTAINER').key)).size, 3);
});

test('all of several objects must be allowed', () => {
  const { approverFor } = createLocalAuthorizer({
    permissive: false,
    view_roles: [{ principals: any, roles: some('r', 's') }],
  });
  const approver = approverFor(principalOf('a'), 'VIEW_ROLE');
  const table: readonly (readonly [values: readonly string[], allowed: boolean])[] = [
    [[], true],
    [['r', 's'], true],
    [['r', 'x'], false],
    [['x'], false],
  ];
  for (const [values, allowed] of table) {
    const objects = values.map((value) => ({ value }));
    assert.equal(allowsAll(approver, objects), allowed, String(values));
    assert.deepEqual([allowsAll(ALL, objects), allowsAll(NONE, objects)], [true, false]);
  }
});

test('an object that names nothing to compare is as permissive says', () => {
  const framework = { framework_info: { ...info, ...multi, roles: [] } };
  for (const permissive of [true, false]) {
    const acls: ACLs = { permissive, register_frameworks: [{ principals: any, roles: some('r') }] };
    const approver = createLocalAuthorizer(acls).approverFor(principalOf('a'), 'REGISTER_FRAMEWORK');
    assert.equal(allows(approver, framework), permissive);
    assert.equal(allows(approver), permissive);
    assert.equal(allows(approver, { value: 'r' }), true);
  }
});

test('VERDICTS-1: the key of verdicts does not depend on the order of values, and tells what differs', () => {
  const keyOf = (...roles: string[]) =>
    verdictsOf([{ principals: any, objects: some(...roles) }], 'a', false, true).key;
  assert.equal(keyOf('b', 'a', 'c/%', 'b/%'), keyOf('b/%', 'a', 'c/%', 'b'));
  assert.equal(keyOf('a', 'c', 'b'), keyOf('c', 'b', 'a'));
  assert.equal(keyOf('z/%', 'x/%', 'y/%'), keyOf('x/%', 'y/%', 'z/%'));
  assert.notEqual(keyOf('a'), keyOf('b'));
  assert.notEqual(keyOf('a/%'), keyOf('a'));
  assert.equal(keyOf(), '-');
  assert.equal(verdictsOf([], 'a', true, true).key, '*');
  const subtree = verdictsOf([{ principals: any, objects: some('/%', 'a/b/%') }], 'a', false, true);
  for (const [role, allowed] of [
    ['a', false],
    ['a/b', false],
    ['a/b/c', true],
    ['a/b/c/d', true],
    ['/x', true],
  ] as const)
    assert.equal(verdictOn(subtree, role), allowed, role);
});

test('VERDICTS-1: the first rule that matches decides, up to one that matches everything', () => {
  const rules = [
    { principals: nobody, objects: some('r') },
    { principals: any, objects: any },
    { principals: nobody, objects: some('s') },
  ];
  const verdicts = verdictsOf(rules, 'a', false, false);
  assert.deepEqual(
    [verdictOn(verdicts, 'r'), verdictOn(verdicts, 's'), verdictOn(verdicts, undefined)],
    [false, true, true],
  );
  const closed = verdictsOf([{ principals: some('a'), objects: nobody }, ...rules], 'a', true, false);
  assert.deepEqual([closed.key, verdictOn(closed, 's')], ['-', false]);
  const noValues = verdictsOf(
    [
      { principals: {}, objects: any },
      { principals: any, objects: {} },
    ],
    'a',
    true,
    true,
  );
  assert.equal(noValues.key, '*');
  const asText = verdictsOf([{ principals: any, objects: some('a/%') }], 'a', false, false);
  assert.deepEqual([verdictOn(asText, 'a/%'), verdictOn(asText, 'a/b')], [true, false]);
});

test('a principal as text: its name, or all that its token says', () => {
  assert.equal(principalText(principalOf('alice')), 'alice');
  assert.equal(principalText({ claims: { cid: 'c' } }), '{"claims":{"cid":"c"}}');
  assert.equal(principalText({ value: 'a', claims: { x: 'y' } }), '{"value":"a","claims":{"x":"y"}}');
  assert.equal(principalText({ claims: {} }), '{"claims":{}}');
});

test('the longest-known approvers make room: ten thousand principals later the answers are the same', () => {
  const { approverFor } = createLocalAuthorizer({
    permissive: false,
    view_roles: [{ principals: some('p7'), roles: any }],
  });
  for (let i = 0; i < 10_050; i++)
    assert.equal(approverFor(principalOf(`p${i}`), 'VIEW_ROLE').kind, i === 7 ? 'all' : 'none');
  assert.equal(approverFor(principalOf('p7'), 'VIEW_ROLE').kind, 'all');
});
