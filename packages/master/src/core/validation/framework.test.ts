import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkInfo } from '@meseta/wire';
import { checkFrameworkInfo, checkPrincipal, checkSuppressedRoles, checkUpdate, rolesOf } from './framework.js';

const info = (more: Partial<FrameworkInfo> = {}): FrameworkInfo => ({ user: 'u', name: 'n', ...more });
const capabilities = [{ type: 'MULTI_ROLE' as const }];
const multi = (...roles: string[]): FrameworkInfo => info({ capabilities, roles });
const filters = (quantities: Record<string, { readonly value: number }>): FrameworkInfo =>
  info({
    offer_filters: {
      a: { min_allocatable_resources: { quantities: [{ quantities: { cpus: { value: 1 } } }, { quantities }] } },
    },
  });
const most = 9_223_372_036;

test('a framework subscribes to its roles with MULTI_ROLE, else to its role, by default *', () => {
  assert.deepEqual(rolesOf(multi('a', 'b')), ['a', 'b']);
  assert.deepEqual(rolesOf(info({ capabilities })), []);
  assert.deepEqual(rolesOf(info({ role: 'a' })), ['a']);
  assert.deepEqual(rolesOf(info()), ['*']);
});

test('a FrameworkInfo is valid or refused with the field at fault', () => {
  const at = 'framework_info.offer_filters["a"].min_allocatable_resources.quantities[1]';
  const table: readonly (readonly [FrameworkInfo, string | undefined, ReadonlySet<string>?])[] = [
    [info(), undefined],
    [multi('a', 'b'), undefined, new Set(['a', 'b'])],
    [
      { ...multi('a'), role: 'a' },
      'framework_info.role: must not be set by a framework with MULTI_ROLE, which uses framework_info.roles',
    ],
    [
      info({ roles: ['a'] }),
      'framework_info.roles: needs the capability MULTI_ROLE; without it use framework_info.role',
    ],
    [info({ roles: [] }), undefined],
    [multi('a', 'b', 'a'), "framework_info.roles: 'a' is listed twice"],
    [multi('a', 'c'), "framework_info.roles: 'c' is not among the master's --roles", new Set(['a'])],
    [info({ role: 'c' }), "framework_info.role: 'c' is not among the master's --roles", new Set(['a'])],
    [info({ id: { value: '' } }), undefined],
    [info({ id: { value: 'F' } }), undefined],
    [info({ id: { value: '.' } }), 'framework_info.id: expected an id other than "." and "..", got "."'],
    [filters({ cpus: { value: 0 } }), undefined],
    [filters({}), `${at}: expected at least one quantity`],
    [filters({ mem: { value: -1 } }), `${at}["mem"]: expected a number >= 0, got -1`],
    [filters({ mem: { value: Number.NaN } }), `${at}["mem"]: expected a number >= 0, got NaN`],
    [info({ failover_timeout: most }), undefined],
    [
      info({ failover_timeout: most + 1 }),
      `framework_info.failover_timeout: expected at most ${most} seconds, got ${most + 1}`,
    ],
    [
      info({ failover_timeout: -most - 1 }),
      `framework_info.failover_timeout: expected at most ${most} seconds, got ${-most - 1}`,
    ],
  ];
  for (const [framework, problem, allowed] of table) {
    assert.equal(checkFrameworkInfo(framework, allowed), problem, JSON.stringify(framework));
  }
  assert.match(checkFrameworkInfo(multi('a', 'b/..'), undefined) ?? '', /^framework_info\.roles: role "b\/\.\."/);
});

test('suppressed roles must be valid roles of the framework', () => {
  assert.equal(checkSuppressedRoles(multi('a', 'b'), ['a']), undefined);
  assert.equal(checkSuppressedRoles(multi('a'), ['b']), "suppressed_roles: 'b' is not among the framework's roles");
  assert.match(checkSuppressedRoles(multi('a'), ['a', '-']) ?? '', /^suppressed_roles: role "-"/);
});

test('a framework cannot change its principal, user and checkpoint flag', () => {
  const text = "framework_info.principal: can't be changed from";
  assert.equal(checkPrincipal(info(), info()), undefined);
  assert.equal(checkPrincipal(info({ principal: 'p' }), info()), `${text} 'p' to none`);
  assert.equal(checkPrincipal(info(), info({ principal: 'q' })), `${text} none to 'q'`);
  assert.equal(checkUpdate(info({ checkpoint: false }), info({ name: 'other' })), undefined);
  assert.equal(checkUpdate(info({ principal: 'p' }), info({ principal: 'q' })), `${text} 'p' to 'q'`);
  assert.equal(checkUpdate(info(), info({ user: 'v' })), "framework_info.user: can't be changed from 'u'");
  const checkpoint = "framework_info.checkpoint: can't be changed from";
  assert.equal(checkUpdate(info(), info({ checkpoint: true })), `${checkpoint} false`);
  assert.equal(checkUpdate(info({ checkpoint: true }), info()), `${checkpoint} true`);
});
