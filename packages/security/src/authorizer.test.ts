import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '@meseta/api';
import type { ACLEntity, ACLs, AuthorizationObject, FrameworkInfo, Resource, Task } from '@meseta/wire';
import fc from 'fast-check';
import { AUTHORIZABLE_PATHS, parseAcls } from './acls.js';
import { ACTION_RULES, OBJECT_FIELDS } from './actions.js';
import { allows, allowsAll, createLocalAuthorizer, openAuthorizer } from './authorizer.js';
import { principalOf } from './principal.js';
import { type Acl, verdictOn, verdictsOf } from './verdicts.js';

const ANY: ACLEntity = { type: 'ANY' };
const NONE: ACLEntity = { type: 'NONE' };
const some = (...values: string[]): ACLEntity => ({ values });
const framework = (info: Partial<FrameworkInfo>): AuthorizationObject => ({
  framework_info: { user: 'root', name: 'x', ...info },
});
const cpus = (more: Partial<Resource>): AuthorizationObject => ({
  resource: { name: 'cpus', type: 'SCALAR', ...more },
});
const multiRole = { capabilities: [{ type: 'MULTI_ROLE' }] } as const;

/** The documentation's own examples, and its match matrix (docs/authorization.md). */
const cases: readonly (readonly [ACLs, string | undefined, Action, AuthorizationObject | undefined, boolean])[] = [
  // Frameworks foo and bar may run as alice; anybody else may not.
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
  // Root for nobody, by the first of two.
  [
    { run_tasks: [{ principals: NONE, users: some('root') }] },
    'foo',
    'RUN_TASK',
    { task_info: { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' }, command: { user: 'root' } } },
    false,
  ],
  [{ run_tasks: [{ principals: NONE, users: some('root') }] }, 'foo', 'RUN_TASK', framework({ user: 'guest' }), true],
  // NONE as objects refuses everything to whoever is meant.
  [
    { register_frameworks: [{ principals: some('foo'), roles: NONE }] },
    'foo',
    'REGISTER_FRAMEWORK',
    framework({}),
    false,
  ],
  [
    { register_frameworks: [{ principals: some('foo'), roles: NONE }] },
    'bar',
    'REGISTER_FRAMEWORK',
    framework({}),
    true,
  ],
  // All roles of a framework must be allowed, the default role counts where there is no other.
  [
    { permissive: false, register_frameworks: [{ principals: ANY, roles: some('a', 'b/%') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({ ...multiRole, roles: ['a', 'b/c'] }),
    true,
  ],
  [
    { permissive: false, register_frameworks: [{ principals: ANY, roles: some('a', 'b/%') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({ ...multiRole, roles: ['a', 'b'] }),
    false,
  ],
  [
    { permissive: false, register_frameworks: [{ principals: ANY, roles: some('*') }] },
    'x',
    'REGISTER_FRAMEWORK',
    framework({}),
    true,
  ],
  [{ permissive: false, register_frameworks: [] }, 'x', 'REGISTER_FRAMEWORK', framework({ ...multiRole }), false],
  // Whoever did not authenticate is matched by ANY only.
  [{ permissive: false, get_quotas: [{ principals: ANY, roles: ANY }] }, undefined, 'GET_QUOTA', { value: 'r' }, true],
  [
    { permissive: false, get_quotas: [{ principals: some('x'), roles: ANY }] },
    undefined,
    'GET_QUOTA',
    undefined,
    false,
  ],
  [{ get_quotas: [{ principals: some('x'), roles: NONE }] }, undefined, 'GET_QUOTA', undefined, true],
  // A question about no object in particular is for ANY and NONE.
  [
    { permissive: false, view_roles: [{ principals: some('x'), roles: some('a') }] },
    'x',
    'VIEW_ROLE',
    undefined,
    false,
  ],
  [{ view_flags: [{ principals: some('x'), flags: NONE }] }, 'x', 'VIEW_FLAGS', undefined, false],
  // What of an object counts.
  [
    { permissive: false, reserve_resources: [{ principals: ANY, roles: some('a/b') }] },
    'x',
    'RESERVE_RESOURCES',
    cpus({ reservations: [{ role: 'a' }, { role: 'a/b' }] }),
    true,
  ],
  [
    { permissive: false, unreserve_resources: [{ principals: ANY, reserver_principals: some('ops') }] },
    'x',
    'UNRESERVE_RESOURCES',
    cpus({ reservations: [{ role: 'a', principal: 'other' }] }),
    false,
  ],
  [
    { permissive: false, destroy_volumes: [{ principals: ANY, creator_principals: some('ops') }] },
    'x',
    'DESTROY_VOLUME',
    cpus({ disk: { persistence: { id: 'v', principal: 'ops' } } }),
    true,
  ],
  [
    { permissive: false, view_tasks: [{ principals: ANY, users: some('web') }] },
    'x',
    'VIEW_TASK',
    { ...framework({ user: 'root' }), task: { user: 'web' } as Task },
    true,
  ],
  [
    { permissive: false, view_executors: [{ principals: ANY, users: some('web') }] },
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

test('ACLs: who may do what to what', () => {
  for (const [acls, who, action, object, expected] of cases) {
    const approver = createLocalAuthorizer(acls).approverFor(who === undefined ? undefined : principalOf(who), action);
    assert.equal(allows(approver, object), expected, JSON.stringify([acls, who, action, object]));
  }
});

test('every action has a list, and every list an action', () => {
  const used = Object.values(ACTION_RULES).flatMap(({ list, child }) => (child === undefined ? [list] : [list, child]));
  assert.deepEqual([...new Set(used)].sort(), Object.keys(OBJECT_FIELDS).sort());
});

test('nested containers need leave for the parent and for the command', () => {
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
  test(`a token's bearer reaches its own containers and nothing else, ${what}`, () => {
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
    // An empty prefix would be that of every container.
    assert.equal(authorizer.approverFor({ claims: { cid_prefix: '' } }, 'KILL_STANDALONE_CONTAINER').kind, 'none');
    for (const action of Object.keys(ACTION_RULES) as Action[]) {
      const about = { container_id: { value: 'other' }, value: '/flags' };
      assert.equal(allows(authorizer.approverFor(executor, action), about), false, action);
      assert.equal(allows(authorizer.approverFor(executor, action)), false, action);
    }
    assert.equal(openAuthorizer.approverFor({ value: 'ops', claims: {} }, 'VIEW_FLAGS').kind, 'all');
  });
}

test('ACLs that cannot be meant are refused by field, and what has no effect is told', () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ view_flags: [{ principals: ANY, flags: { values: ['zk'] } }] }, /'view_flags\[0\]\.flags'.*ANY or NONE/],
    [
      {
        register_agents: [
          { principals: ANY, agents: ANY },
          { principals: ANY, agents: {} },
        ],
      },
      /register_agents\[1\]/,
    ],
    [{ get_endpoints: [{ principals: ANY, paths: { values: ['/state'] } }] }, /get_endpoints\[0\]\.paths.*"\/state"/],
    [{ run_tasks: [{ principals: ANY }] }, /run_tasks\[0\]\.users/],
    [{ run_tasks: [{ principals: { type: 7 }, users: ANY }] }, /run_tasks\[0\]\.principals/],
    [[], /object/],
  ];
  for (const [json, expected] of wrong) {
    const parsed = parseAcls(JSON.stringify(json));
    assert.ok(!parsed.ok, JSON.stringify(json));
    assert.match(parsed.error, expected);
  }
  assert.ok(!parseAcls('{').ok);
  const old = parseAcls(
    JSON.stringify({ shutdown_frameworks: [{ principals: ANY, framework_principals: NONE }], run_task: [] }),
  );
  assert.ok(old.ok);
  assert.equal(old.value.acls.teardown_frameworks?.length, 1);
  assert.equal(old.value.warnings.length, 2);
  assert.ok(AUTHORIZABLE_PATHS.has('/metrics/snapshot') && AUTHORIZABLE_PATHS.has('/monitor/statistics'));
});

const name = fc.constantFrom('a', 'b', 'a/b', 'a/b/c', 'a/c', 'b/a');
const pattern = fc.oneof(
  name,
  name.map((role) => `${role}/%`),
);
const entity = (values: fc.Arbitrary<string>): fc.Arbitrary<ACLEntity> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(ANY, NONE) },
    { weight: 5, arbitrary: fc.array(values, { maxLength: 3 }).map((list) => some(...list)) },
  );
const aclLists = fc.array(fc.record({ principals: entity(fc.constantFrom('x', 'y')), objects: entity(pattern) }), {
  maxLength: 6,
});

/** The rule as the documentation tells it, ACL by ACL. */
function byTheBook(
  acls: readonly Acl[],
  who: string | undefined,
  role: string | undefined,
  permissive: boolean,
): boolean {
  const covers = ({ type = 'SOME', values = [] }: ACLEntity, value: string | undefined, roles: boolean): boolean =>
    type !== 'SOME' ||
    (value !== undefined &&
      values.some((it) => it === value || (roles && it.endsWith('/%') && value.startsWith(it.slice(0, -1)))));
  for (const { principals, objects } of acls) {
    if (covers(principals, who, false) && covers(objects, role, true)) {
      return principals.type !== 'NONE' && objects.type !== 'NONE';
    }
  }
  return permissive;
}

test('verdicts say of every role what the ACLs say one by one', () => {
  const roles = [undefined, 'a', 'b', 'c', 'a/b', 'a/x', 'a/b/c', 'a/b/x', 'a/b/c/d', 'b/a', 'b/a/x', 'a/c/d'];
  fc.assert(
    fc.property(aclLists, fc.constantFrom('x', 'y', undefined), fc.boolean(), (acls, who, permissive) => {
      const verdicts = verdictsOf(acls, who, permissive, true);
      for (const role of roles)
        assert.equal(verdictOn(verdicts, role), byTheBook(acls, who, role, permissive), String(role));
    }),
    { numRuns: 2_000 },
  );
});

test('VERDICTS-1: keys are equal exactly where the answers are', () => {
  // Deep enough that two different verdicts differ on one of these.
  const roles = ['a', 'b', 'a/b', 'a/c', 'b/a', 'a/b/c'].flatMap((role) => [role, `${role}/x`, `${role}/x/y`]);
  const answers = (acls: readonly Acl[], permissive: boolean) =>
    [undefined, 'z', ...roles].map((role) => byTheBook(acls, 'x', role, permissive)).join();
  fc.assert(
    fc.property(aclLists, aclLists, fc.boolean(), (one, other, permissive) => {
      const same = answers(one, permissive) === answers(other, permissive);
      const keys = [one, other].map((acls) => verdictsOf(acls, 'x', permissive, true).key);
      assert.equal(keys[0] === keys[1], same);
    }),
    { numRuns: 2_000 },
  );
});
