// What the gate asks of its parts, and which approvers may be shared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { masterEndpoints, refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import type { ACLs } from '@meseta/wire';
import { ALL, allows, createLocalAuthorizer, NONE, openAuthorizer } from './authorizer.js';
import type { BrowserGuard } from './browser-guard.js';
import { type ArrivedRequest, createHttpGate, forbidden } from './http-gate.js';
import { principalOf } from './principal.js';

const any = { type: 'ANY' } as const;

test('keys of bearers: equal for one claim, unequal for others and for another name of the claim', () => {
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

test('a/% is a subtree in lists of roles and a name like others in the rest', () => {
  const below = { values: ['a/%'] };
  const acls: ACLs = {
    permissive: false,
    view_roles: [{ principals: any, roles: below }],
    run_tasks: [{ principals: any, users: below }],
    launch_nested_containers_under_parent_with_user: [{ principals: any, users: any }],
    launch_nested_containers_as_user: [{ principals: any, users: below }],
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

test('VERDICTS-1: an action of two lists that allows or refuses all by either is the same as one of one list', () => {
  const of = (
    parent: ACLs['launch_nested_containers_under_parent_with_user'],
    child: ACLs['launch_nested_containers_as_user'],
  ) =>
    createLocalAuthorizer({
      permissive: true,
      launch_nested_containers_under_parent_with_user: parent,
      launch_nested_containers_as_user: child,
    }).approverFor(principalOf('p'), 'LAUNCH_NESTED_CONTAINER');
  const yes = [{ principals: any, users: any }];
  const no = [{ principals: any, users: { type: 'NONE' as const } }];
  const some = [{ principals: any, users: { values: ['u'] } }, ...no];
  assert.equal(of(yes, yes), ALL);
  for (const child of [yes, no, some]) assert.equal(of(no, child), NONE);
  assert.equal(of(some, yes).key, of(some, undefined).key);
  assert.notEqual(of(some, yes).key, of(some, some).key);
  // About no object in particular the second list says nothing.
  assert.equal(allows(of(yes, some)), true);
  assert.equal(allows(of(some, some)), false);
});

test('approvers are made once as long as there is room, and for ten thousand there is', () => {
  const { approverFor } = createLocalAuthorizer({
    view_roles: [
      { principals: any, roles: { values: ['r'] } },
      { principals: any, roles: { type: 'NONE' } },
    ],
  });
  const of = (at: number) => approverFor(principalOf(`p${at}`), 'VIEW_ROLE');
  const first = of(0);
  for (let at = 1; at < 10_000; at++) of(at);
  assert.equal(of(0), first);
  of(10_000);
  assert.notEqual(of(0), first);
});

/** A gate whose parts say yes, and what they are asked. */
function asked(request: Partial<ArrivedRequest>, unsafe = false) {
  const checked: Parameters<BrowserGuard['check']>[0][] = [];
  const headers: (string | undefined)[] = [];
  const gate = createHttpGate({
    authentication: {
      guards: () => true,
      authenticate(_realm, header) {
        headers.push(header);
        return ok(principalOf('p'));
      },
    },
    authorizer: createLocalAuthorizer({
      permissive: false,
      get_endpoints: [{ principals: any, paths: { values: ['/metrics/snapshot'] } }],
    }),
    guard: {
      check(it: (typeof checked)[number]) {
        checked.push(it);
        return unsafe ? refusal('forbidden', 'unsafe') : undefined;
      },
    } as BrowserGuard,
    firewall: undefined,
  });
  const endpoint = masterEndpoints.metrics;
  const all = { method: 'GET', endpoint, rest: '', jsonp: false, certified: false, headers: {}, ...request };
  return { admitted: gate.admit(all, 0), checked, headers };
}

test('the gate asks the guard how the method touches the state, and reads for one that is unknown', () => {
  const weights = { ...masterEndpoints.weights };
  const cases: readonly (readonly [Partial<ArrivedRequest>, access: string])[] = [
    [{ method: 'GET' }, 'reads'],
    [{ method: 'BREW' }, 'reads'],
    [{ endpoint: weights, method: 'PUT' }, weights.methods.PUT as string],
    [{ endpoint: weights, method: 'GET' }, weights.methods.GET as string],
  ];
  for (const [request, access] of cases) assert.equal(asked(request).checked[0]?.access, access);
  assert.equal(weights.methods.PUT, 'changes');
});

test('a call for JSONP is one only where the endpoint speaks it', () => {
  for (const speaks of [true, false, undefined]) {
    for (const jsonp of [true, false]) {
      const { jsonp: _, ...plain } = masterEndpoints.metrics as ArrivedRequest['endpoint'];
      const endpoint = { ...plain, ...(speaks !== undefined && { jsonp: speaks }) } as ArrivedRequest['endpoint'];
      assert.equal(asked({ endpoint, jsonp }).checked[0]?.jsonp, jsonp && speaks === true, `${speaks} ${jsonp}`);
    }
  }
});

test('the first of several authorizations counts, and who is unsafe is not asked for one', () => {
  const cases: readonly (readonly [string | readonly string[] | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['Basic x', 'Basic x'],
    [['Basic y', 'Basic z'], 'Basic y'],
    [[], undefined],
  ];
  for (const [authorization, header] of cases)
    assert.deepEqual(asked({ headers: { authorization } }).headers, [header]);
  const { admitted, headers } = asked({}, true);
  assert.deepEqual([admitted, headers], [err(refusal('forbidden', 'unsafe')), []]);
});

test('an endpoint with a path is asked for by its path, another one by nothing', () => {
  assert.deepEqual(asked({}).admitted, ok(principalOf('p')));
  const flags = masterEndpoints.flags as ArrivedRequest['endpoint'];
  const refused = err(forbidden(principalOf('p'), `ask ${flags.path}`));
  assert.deepEqual(asked({ endpoint: flags }).admitted, refused);
  assert.deepEqual(forbidden(undefined, 'do it'), refusal('forbidden', 'Who has not authenticated may not do it'));
});
