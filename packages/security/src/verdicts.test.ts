import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ACLEntity } from '@meseta/wire';
import fc from 'fast-check';
import { type Acl, verdictOn, verdictsOf } from './verdicts.js';

const anyEntity: ACLEntity = { type: 'ANY' };

const noEntity: ACLEntity = { type: 'NONE' };

const some = (...values: string[]): ACLEntity => ({ values });

const name = fc.constantFrom('a', 'b', 'a/b', 'a/b/c', 'a/c', 'b/a');

const pattern = fc.oneof(
  name,
  name.map((role) => `${role}/%`),
);

const entity = (values: fc.Arbitrary<string>): fc.Arbitrary<ACLEntity> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(anyEntity, noEntity) },
    { weight: 5, arbitrary: fc.array(values, { maxLength: 3 }).map((list) => some(...list)) },
  );

const aclLists = fc.array(fc.record({ principals: entity(fc.constantFrom('x', 'y')), objects: entity(pattern) }), {
  maxLength: 6,
});

/** Whether the ACLs, taken one by one as in the documentation, allow the role. */
function isAllowedOneByOne(
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

test('VERDICTS-1: verdicts allow exactly the roles that the ACLs allow one by one', () => {
  const roles = [undefined, 'a', 'b', 'c', 'a/b', 'a/x', 'a/b/c', 'a/b/x', 'a/b/c/d', 'b/a', 'b/a/x', 'a/c/d'];
  fc.assert(
    fc.property(aclLists, fc.constantFrom('x', 'y', undefined), fc.boolean(), (acls, who, permissive) => {
      const verdicts = verdictsOf(acls, who, permissive, true);
      for (const role of roles)
        assert.equal(verdictOn(verdicts, role), isAllowedOneByOne(acls, who, role, permissive), String(role));
    }),
    { numRuns: 2_000 },
  );
});

test('VERDICTS-1: keys are equal exactly if all verdicts are equal', () => {
  // Two different verdicts differ on at least one of these roles.
  const roles = ['a', 'b', 'a/b', 'a/c', 'b/a', 'a/b/c'].flatMap((role) => [role, `${role}/x`, `${role}/x/y`]);
  const answers = (acls: readonly Acl[], permissive: boolean) =>
    [undefined, 'z', ...roles].map((role) => isAllowedOneByOne(acls, 'x', role, permissive)).join();
  fc.assert(
    fc.property(aclLists, aclLists, fc.boolean(), (one, other, permissive) => {
      const same = answers(one, permissive) === answers(other, permissive);
      const keys = [one, other].map((acls) => verdictsOf(acls, 'x', permissive, true).key);
      assert.equal(keys[0] === keys[1], same);
    }),
    { numRuns: 2_000 },
  );
});

test('VERDICTS-1: the key does not depend on the order of values, and differs if the values do', () => {
  const keyOf = (...roles: string[]) =>
    verdictsOf([{ principals: anyEntity, objects: some(...roles) }], 'a', false, true).key;
  assert.equal(keyOf('b', 'a', 'c/%', 'b/%'), keyOf('b/%', 'a', 'c/%', 'b'));
  assert.equal(keyOf('a', 'c', 'b'), keyOf('c', 'b', 'a'));
  assert.equal(keyOf('z/%', 'x/%', 'y/%'), keyOf('x/%', 'y/%', 'z/%'));
  assert.notEqual(keyOf('a'), keyOf('b'));
  assert.notEqual(keyOf('a/%'), keyOf('a'));
  assert.equal(keyOf(), '-');
  assert.equal(verdictsOf([], 'a', true, true).key, '*');
  const subtree = verdictsOf([{ principals: anyEntity, objects: some('/%', 'a/b/%') }], 'a', false, true);
  for (const [role, allowed] of [
    ['a', false],
    ['a/b', false],
    ['a/b/c', true],
    ['a/b/c/d', true],
    ['/x', true],
  ] as const)
    assert.equal(verdictOn(subtree, role), allowed, role);
});

test('VERDICTS-1: the first rule that matches decides; rules after one that matches everything have no effect', () => {
  const rules = [
    { principals: noEntity, objects: some('r') },
    { principals: anyEntity, objects: anyEntity },
    { principals: noEntity, objects: some('s') },
  ];
  const verdicts = verdictsOf(rules, 'a', false, false);
  assert.deepEqual(
    [verdictOn(verdicts, 'r'), verdictOn(verdicts, 's'), verdictOn(verdicts, undefined)],
    [false, true, true],
  );
  const closed = verdictsOf([{ principals: some('a'), objects: noEntity }, ...rules], 'a', true, false);
  assert.deepEqual([closed.key, verdictOn(closed, 's')], ['-', false]);
  const noValues = verdictsOf(
    [
      { principals: {}, objects: anyEntity },
      { principals: anyEntity, objects: {} },
    ],
    'a',
    true,
    true,
  );
  assert.equal(noValues.key, '*');
  const asText = verdictsOf([{ principals: anyEntity, objects: some('a/%') }], 'a', false, false);
  assert.deepEqual([verdictOn(asText, 'a/%'), verdictOn(asText, 'a/b')], [true, false]);
});

test('VERDICTS-2: a role of a million slashes takes no more lookups than the longest prefix has characters', () => {
  const verdicts = verdictsOf([{ principals: anyEntity, objects: some('a/b/%', 'c/%') }], 'x', false, true);
  const lookups: string[] = [];
  const subtrees = {
    get(prefix: string) {
      lookups.push(prefix);
      return verdicts.subtrees.get(prefix);
    },
  } as typeof verdicts.subtrees;
  const role = `a/b${'/'.repeat(1_000_000)}`;
  assert.equal(verdictOn({ ...verdicts, subtrees }, role), true);
  assert.equal(verdictOn({ ...verdicts, subtrees }, '/'.repeat(1_000_000)), false);
  assert.ok(lookups.length <= 8 && lookups.every(({ length }) => length <= 'a/b/'.length), `${lookups.length} lookups`);
});
