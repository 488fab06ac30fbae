import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '@meseta/api';
import type { ACLEntity, ACLs, AuthorizationObject, FrameworkInfo, Resource, Task } from '@meseta/wire';
import { ACTION_RULES } from './actions.js';
import { ALL, allows, allowsAll, createLocalAuthorizer, isBearer, NONE, openAuthorizer } from './authorizer.js';
import { principalOf } from './principal.js';

const anyEntity: ACLEntity = { type: 'ANY' };

const noEntity: ACLEntity = { type: 'NONE' };

const some = (...values: string[]): ACLEntity => ({ values });

const framework = (info: Partial<FrameworkInfo>): AuthorizationObject => ({
  framework_info: { user: 'root', name: 'x', ...info },
});

const cpus = (more: Partial<Resource>): AuthorizationObject => ({
  resource: { name: 'cpus', type: 'SCALAR', ...more },
});

const multiRole = { capabilities: [{ type: 'MULTI_ROLE' }] } as const;

/** The examples of Mesos' documentation, and its match matrix (Mesos' docs/authorization.md). */
const cases: readonly (readonly [ACLs, string | undefined, Action, AuthorizationObject | undefined, boolean])[] = [
  // Frameworks foo and bar may run as alice; no other framework may.
  ...(
    [
      ['foo', 'alice', true],
      ['bar', 'alice', true],
      ['foo', 'bob', false],
      ['baz', 'alice', false],
    ] as const
  ).map(
    ([who, user, expected]) =>
      [
        { permissive: false, run_tasks: [{ principals: some('foo', 'bar'), users: some('alice') }] },
        who,
        'RUN_TASK',
        framework({ user }),
        expected,
      ] as const,
  ),
  // NONE as principals refuses root to all.
  [
    { run_tasks: [{ principals: noEntity, users: some('root') }] },
    'foo',
    'RUN_TASK',
    { task_info: { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' }, command: { user: 'root' } } },
    false,
  ],
  [
    { run_tasks: [{ principals: noEntity, users: some('root') }] },
    'foo',
    'RUN_TASK',
    framework({ user: 'guest' }),
    true,
  ],
  // NONE as objects refuses everything to the principals.
  [
    { register_frameworks: [{ principals: some('foo'), roles: noEntity }] },
    'foo',
    'REGISTER_FRAMEWORK',
    framework({}),
    false,
  ],
  [
    { register_frameworks: [{ principals: some('foo'), roles: noEntity }] },
    'bar',
    'REGISTER_FRAMEWORK',
    framework({}),
    true,
  ],
  // All roles of a framework must be allowed; a framework without a role has the default role.
  [
    { permissive: false, register_frameworks: [{ principals: anyEntity, roles: some('a', 'b/%') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({ ...multiRole, roles: ['a', 'b/c'] }),
    true,
  ],
  [
    { permissive: false, register_frameworks: [{ principals: anyEntity, roles: some('a', 'b/%') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({ ...multiRole, roles: ['a', 'b'] }),
    false,
  ],
  [
    { permissive: false, register_frameworks: [{ principals: anyEntity, roles: some('*') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({}),
    true,
  ],
  [{ permissive: false, register_frameworks: [] }, 'x', 'REGISTER_FRAMEWORK', framework({ ...multiRole }), false],
  // Only ANY matches a request without authentication.
  [
    { permissive: false, get_quotas: [{ principals: anyEntity, roles: anyEntity }] },
    undefined,
    'GET_QUOTA',
    { value: 'r' },
    true,
  ],
  [
    { permissive: false, get_quotas: [{ principals: some('x'), roles: anyEntity }] },
    undefined,
    'GET_QUOTA',
    undefined,
    false,
  ],
  [{ get_quotas: [{ principals: some('x'), roles: noEntity }] }, undefined, 'GET_QUOTA', undefined, true],
  // Only ANY and NONE match a query without an object.
  [
    { permissive: false, view_roles: [{ principals: some('x'), roles: some('a') }] },
    'x',
    'VIEW_ROLE',
    undefined,
    false,
  ],
  [{ view_flags: [{ principals: some('x'), flags: noEntity }] }, 'x', 'VIEW_FLAGS', undefined, false],
  // The value of an object that is compared.
  [
    { permissive: false, reserve_resources: [{ principals: anyEntity, roles: some('a/b') }] },
    'x',
    'RESERVE_RESOURCES',
    cpus({ reservations: [{ role: 'a' }, { role: 'a/b' }] }),
    true,
  ],
  [
    { permissive: false, unreserve_resources: [{ principals: anyEntity, reserver_principals: some('ops') }] },
    'x',
    'UNRESERVE_RESOURCES',
    cpus({ reservations: [{ role: 'a', principal: 'other' }] }),
    false,
  ],
  [
    { permissive: false, destroy_volumes: [{ principals: anyEntity, creator_principals: some('ops') }] },
    'x',
    'DESTROY_VOLUME',
    cpus({ disk: { persistence: { id: 'v', principal: 'ops' } } }),
    true,
  ],
  [
    { permissive: false, view_tasks: [{ principals: anyEntity, users: some('web') }] },
    'x',
    'VIEW_TASK',
    { ...framework({ user: 'root' }), task: { user: 'web' } as Task },
    true,
  ],
  [
    { permissive: false, view_executors: [{ principals: anyEntity, users: some('web') }] },
    'x',
    'VIEW_EXECUTOR',
    { ...framework({ user: 'web' }), executor_info: { executor_id: { value: 'e' }, command: {} } },
    true,
  ],
  [
    { permissive: false, teardown_frameworks: [{ principals: some('ops'), framework_principals: some('web') }] },
    'ops',
    'TEARDOWN_FRAMEWORK',
    framework({ principal: 'web' }),
    true,
  ],
  [
    { permissive: false, update_quotas: [{ principals: some('ops'), roles: some('web/%') }] },
    'ops',
    'UPDATE_QUOTA_WITH_CONFIG',
    { value: 'web' },
    false,
  ],
];

test('the examples and the match matrix of the documentation of ACLs', () => {
  for (const [acls, who, action, object, expected] of cases) {
    const approver = createLocalAuthorizer(acls).approverFor(who === undefined ? undefined : principalOf(who), action);
    assert.equal(allows(approver, object), expected, JSON.stringify([acls, who, action, object]));
  }
});

test('a nested container needs permission for the user of its parent and for the user of its command', () => {
  const authorizer = createLocalAuthorizer({
    permissive: false,
    launch_nested_containers_under_parent_with_user: [{ principals: some('x'), users: some('web') }],
    launch_nested_containers_as_user: [{ principals: some('x'), users: some('guest') }],
  });
  const may = authorizer.approverFor(principalOf('x'), 'LAUNCH_NESTED_CONTAINER');
  const parent = framework({ user: 'web' });
  assert.equal(allows(may, parent), true);
  assert.equal(allows(may, { ...parent, command_info: { user: 'guest' } }), true);
  assert.equal(allows(may, { ...parent, command_info: { user: 'root' } }), false);
  assert.equal(allows(may, { ...parent, command_info: {} }), false);
  assert.equal(allows(may, { ...framework({ user: 'db' }), command_info: { user: 'guest' } }), false);
  assert.equal(allowsAll(may, [parent, framework({ user: 'db' })]), false);
});

for (const [what, authorizer] of [
  ['with ACLs', createLocalAuthorizer({ permissive: true })],
  ['without ACLs', openAuthorizer],
] as const) {
  test(`a token that has only claims permits actions on its own containers and nothing else, ${what}`, () => {
    const executor = { claims: { cid: 'root' } };
    const inside = { container_id: { value: 'n', parent: { value: 'm', parent: { value: 'root' } } } };
    const may = authorizer.approverFor(executor, 'LAUNCH_NESTED_CONTAINER');
    assert.equal(allows(may, inside), true);
    assert.equal(allows(may, { container_id: { value: 'n', parent: { value: 'other' } } }), false);
    assert.equal(authorizer.approverFor(executor, 'VIEW_TASK').kind, 'none');
    const provider = authorizer.approverFor({ claims: { cid_prefix: 'csi-' } }, 'KILL_STANDALONE_CONTAINER');
    assert.equal(allows(provider, { container_id: { value: 'csi-1' } }), true);
    assert.equal(allows(provider, { container_id: { value: 'other' } }), false);
    assert.equal(authorizer.approverFor({ claims: {} }, 'KILL_NESTED_CONTAINER').kind, 'none');
    // Every container's id begins with an empty prefix.
    assert.equal(authorizer.approverFor({ claims: { cid_prefix: '' } }, 'KILL_STANDALONE_CONTAINER').kind, 'none');
    for (const action of Object.keys(ACTION_RULES) as Action[]) {
      const about = { container_id: { value: 'other' }, value: '/flags' };
      assert.equal(allows(authorizer.approverFor(executor, action), about), false, action);
      assert.equal(allows(authorizer.approverFor(executor, action)), false, action);
    }
    assert.equal(openAuthorizer.approverFor({ value: 'ops', claims: {} }, 'VIEW_FLAGS').kind, 'all');
  });
}

const info = { user: 'u', name: 'n' };

const multi = { capabilities: [{ type: 'REVOCABLE_RESOURCES' as const }, { type: 'MULTI_ROLE' as const }] };

test('a token that has only claims permits each action on the containers named by the claim of the action', () => {
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

test('approvers with equal keys decide alike; different principals may have different approvers', () => {
  const acls: ACLs = {
    permissive: false,
    view_roles: [
      { principals: some('a', 'b'), roles: some('r') },
      { principals: some('c'), roles: anyEntity },
    ],
    view_flags: [{ principals: some('c'), flags: anyEntity }],
    launch_nested_containers_under_parent_with_user: [{ principals: anyEntity, users: some('parent') }],
    launch_nested_containers_as_user: [
      { principals: some('a'), users: some('child') },
      { principals: some('b'), users: anyEntity },
      { principals: some('c'), users: noEntity },
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
    view_roles: [{ principals: anyEntity, roles: some('r', 's') }],
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

test('for an object without a value to compare, permissive decides', () => {
  const framework = { framework_info: { ...info, ...multi, roles: [] } };
  for (const permissive of [true, false]) {
    const acls: ACLs = { permissive, register_frameworks: [{ principals: anyEntity, roles: some('r') }] };
    const approver = createLocalAuthorizer(acls).approverFor(principalOf('a'), 'REGISTER_FRAMEWORK');
    assert.equal(allows(approver, framework), permissive);
    assert.equal(allows(approver), permissive);
    assert.equal(allows(approver, { value: 'r' }), true);
  }
});

test('decisions do not depend on the number of approvers that were created later', () => {
  const { approverFor } = createLocalAuthorizer({
    permissive: false,
    view_roles: [{ principals: some('p7'), roles: anyEntity }],
  });
  for (let i = 0; i < 10_050; i++)
    assert.equal(approverFor(principalOf(`p${i}`), 'VIEW_ROLE').kind, i === 7 ? 'all' : 'none');
  assert.equal(approverFor(principalOf('p7'), 'VIEW_ROLE').kind, 'all');
});

test('approvers of tokens have equal keys exactly for the same claim with the same value', () => {
  const key = (
    claims: Readonly<Record<string, string>>,
    action: 'WAIT_NESTED_CONTAINER' | 'KILL_STANDALONE_CONTAINER',
  ) => openAuthorizer.approverFor({ claims }, action).key;
  const keys = [
    key({ cid: 'a' }, 'WAIT_NESTED_CONTAINER'),
    key({ cid: 'b' }, 'WAIT_NESTED_CONTAINER'),
    key({ cid_prefix: 'a' }, 'KILL_STANDALONE_CONTAINER'),
    ALL.key,
    NONE.key,
  ];
  assert.equal(new Set(keys).size, keys.length, keys.join(' '));
  assert.equal(key({ cid: 'a', sub: 'x' }, 'WAIT_NESTED_CONTAINER'), keys[0]);
  assert.equal(openAuthorizer.approverFor({ claims: { undefined: 'a' } }, 'VIEW_FLAGS'), NONE);
});

test('a/% is a subtree in lists of roles, and a plain name in all other lists', () => {
  const below = { values: ['a/%'] };
  const acls: ACLs = {
    permissive: false,
    view_roles: [{ principals: anyEntity, roles: below }],
    run_tasks: [{ principals: anyEntity, users: below }],
    launch_nested_containers_under_parent_with_user: [{ principals: anyEntity, users: anyEntity }],
    launch_nested_containers_as_user: [{ principals: anyEntity, users: below }],
  };
  const { approverFor } = createLocalAuthorizer(acls);
  const roles = approverFor(undefined, 'VIEW_ROLE');
  const users = approverFor(undefined, 'RUN_TASK');
  assert.deepEqual(
    ['a/b', 'a/%', 'a'].map((value) => [allows(roles, { value }), allows(users, { value })]),
    [
      [true, false],
      [true, true],
      [false, false],
    ],
  );
  const nested = approverFor(undefined, 'LAUNCH_NESTED_CONTAINER');
  const launches = (user: string): boolean => allows(nested, { value: 'x', command_info: { user } });
  assert.deepEqual([launches('a/b'), launches('a/%')], [false, true]);
});

test('VERDICTS-1: of an action with two lists, a list that decides all objects leaves the key of the other', () => {
  const of = (
    parent: ACLs['launch_nested_containers_under_parent_with_user'],
    child: ACLs['launch_nested_containers_as_user'],
  ) =>
    createLocalAuthorizer({
      permissive: true,
      launch_nested_containers_under_parent_with_user: parent,
      launch_nested_containers_as_user: child,
    }).approverFor(principalOf('p'), 'LAUNCH_NESTED_CONTAINER');
  const yes = [{ principals: anyEntity, users: anyEntity }];
  const no = [{ principals: anyEntity, users: { type: 'NONE' as const } }];
  const some = [{ principals: anyEntity, users: { values: ['u'] } }, ...no];
  assert.equal(of(yes, yes), ALL);
  for (const child of [yes, no, some]) assert.equal(of(no, child), NONE);
  assert.equal(of(some, yes).key, of(some, undefined).key);
  assert.notEqual(of(some, yes).key, of(some, some).key);
  // Without an object the second list does not apply.
  assert.equal(allows(of(yes, some)), true);
  assert.equal(allows(of(some, some)), false);
});

test('up to ten thousand approvers are kept', () => {
  const { approverFor } = createLocalAuthorizer({
    view_roles: [
      { principals: anyEntity, roles: { values: ['r'] } },
      { principals: anyEntity, roles: { type: 'NONE' } },
    ],
  });
  const of = (at: number) => approverFor(principalOf(`p${at}`), 'VIEW_ROLE');
  const first = of(0);
  for (let at = 1; at < 10_000; at++) of(at);
  assert.equal(of(0), first);
  of(10_000);
  assert.notEqual(of(0), first);
});
