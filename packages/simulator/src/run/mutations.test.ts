// Checks that the mutations fit the code. `node scripts/mutations.mjs` checks that the simulator detects each.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

test('the text that a mutation replaces occurs in its file exactly once', async () => {
  const list = pathToFileURL(resolve('packages/simulator/mutations/list.mjs')).href;
  const { mutations } = (await import(list)) as { readonly mutations: readonly Mutation[] };
  assert(mutations.length >= 12);
  assert.equal(new Set(mutations.map(({ name }) => name)).size, mutations.length);
  for (const { name, file, find, replace } of mutations) {
    assert.equal(readFileSync(file, 'utf8').split(find).length - 1, 1, `${name} (${file})`);
    assert.notEqual(find, replace);
  }
});
