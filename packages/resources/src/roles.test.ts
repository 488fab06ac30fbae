import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { createRoleTree, type RoleNode } from './role-tree.js';
import { ancestorsOf, isAncestor, isInSubtree, parentOf, validateRole } from './roles.js';

test('role names are accepted and refused as by Mesos', () => {
  const good = ['*', 'a/b/c', 'ok_role.1', 'x'.repeat(300), 'a-b', '...', 'a*', 'é'];
  const bad = [
    '',
    '.',
    '..',
    '-x',
    'a b',
    'a//b',
    '/a',
    'a/',
    'a/*',
    'a/../b',
    'a/./b',
    'a/-b',
    '/',
    'tab\tname',
    'del\x7f',
  ];
  for (const role of good) assert.equal(validateRole(role).ok, true, role);
  for (const role of bad) {
    const answer = validateRole(role);
    assert.ok(!answer.ok && answer.error.includes(JSON.stringify(role)), role);
  }
});

test('the length and the depth of a role have limits, and the error names them', () => {
  const deep = (parts: number): string => Array(parts).fill('a').join('/');
  assert.equal(validateRole('x'.repeat(1024)).ok, true);
  assert.equal(validateRole(deep(64)).ok, true);
  const errors = ['x'.repeat(1025), deep(65), deep(100_000)].map((role) => {
    const checked = validateRole(role);
    return checked.ok ? '' : checked.error.replace(/^role "[^"]*"/, 'role');
  });
  assert.deepEqual(errors, [
    'role: expected at most 1024 characters, got 1025',
    'role: expected at most 64 parts, got 65',
    'role: expected at most 1024 characters, got 199999',
  ]);
});

test('ROLE-TREE-1: a role of any depth is added and removed with its ancestors', () => {
  const tree = createRoleTree((name) => name.length);
  const role = Array(20_000).fill('a').join('/');
  tree.add(role);
  assert.equal(tree.size, 20_000);
  tree.remove(role);
  assert.equal(tree.size, 0);
});

test('a role’s parent and ancestors are those of its path', () => {
  assert.deepEqual(ancestorsOf('a/b/c'), ['a/b', 'a']);
  assert.deepEqual([parentOf('a/b'), parentOf('a')], ['a', undefined]);
  assert.ok(isAncestor('a', 'a/b') && isAncestor('a', 'a/b/c'));
  assert.ok(!isAncestor('a', 'a') && !isAncestor('a', 'ab/c') && !isAncestor('a/b', 'a'));
  assert.ok(isInSubtree('a', 'a') && isInSubtree('a/b', 'a') && !isInSubtree('ab', 'a'));
});

const role = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));

test('ROLE-TREE-1, ROLE-TREE-2: after any changes the tree has the roles in use and their ancestors, sorted', () => {
  fc.assert(
    fc.property(fc.array(role, { maxLength: 20 }), fc.nat(20), (added, removed) => {
      const tree = createRoleTree((name) => ({ name }));
      for (const name of added) tree.add(name);
      for (const name of added.slice(0, removed)) tree.remove(name);
      const used = added.slice(removed);
      const expected = [...new Set(used.flatMap((name) => [name, ...ancestorsOf(name)]))].sort();
      const seen: string[] = [];
      const walk = (nodes: readonly RoleNode<{ name: string }>[], parent: RoleNode<unknown> | undefined): void => {
        assert.deepEqual(
          nodes.map((n) => n.role),
          nodes.map((n) => n.role).sort(),
        );
        for (const node of nodes) {
          assert.equal(node.parent, parent);
          assert.equal(node.value.name, node.role);
          assert.equal(tree.get(node.role), node);
          seen.push(node.role);
          walk(node.children, node);
        }
      };
      walk(tree.topLevel, undefined);
      assert.deepEqual(seen.sort(), expected);
      assert.equal(tree.size, expected.length);
    }),
  );
});

test('removing a role without users breaks an invariant', () => {
  const tree = createRoleTree(() => undefined);
  tree.add('a/b');
  assert.throws(() => tree.remove('a'), /has no users/);
});
