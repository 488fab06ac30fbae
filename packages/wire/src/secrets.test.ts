import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FieldSchema, readSchema } from '../codegen/schema.js';
import { withoutSecrets } from './secrets.js';

const schema = readSchema('packages/wire/proto');
const messages = new Map(schema.messages.map((message) => [message.name, message]));

const VALUE = 'aHVudGVyMg==';
const SECRETS: Readonly<Record<string, object>> = {
  Secret: { type: 'VALUE', value: { data: VALUE } },
  Credential: { principal: 'p', secret: VALUE },
};

/** Every path through the schema from a message to a secret that enters each message once. */
function* waysToSecrets(
  message: string,
  way: readonly FieldSchema[] = [],
  passed: readonly string[] = [],
): Generator<readonly FieldSchema[]> {
  if (passed.includes(message)) return;
  for (const field of messages.get(message)?.fields ?? []) {
    if (SECRETS[field.type] !== undefined) yield [...way, field];
    else if (field.kind === 'message') yield* waysToSecrets(field.type, [...way, field], [...passed, message]);
  }
}

function messageWith(way: readonly FieldSchema[]): unknown {
  return way.reduceRight<unknown>(
    (inner, { name, label }) => {
      const value = label === 'repeated' ? [{ other: 1 }, inner] : label === 'map' ? { key: inner } : inner;
      return { [name]: value, name: 'kept' };
    },
    SECRETS[way.at(-1)?.type ?? ''],
  );
}

test('SECRETS-1: the value of a secret is left out at every place where the schema has one', () => {
  for (const [root, least] of [
    ['ExecutorInfo', 4],
    ['TaskInfo', 8],
    ['Task', 4],
  ] as const) {
    const ways = [...waysToSecrets(root)];
    assert.ok(ways.length >= least, `${root}: ${ways.length}`);
    for (const way of ways) {
      const message = messageWith(way);
      assert.ok(JSON.stringify(message).includes(VALUE));
      const seen = JSON.stringify(withoutSecrets(message));
      assert.equal(seen.includes(VALUE), false, way.map(({ name }) => name).join('.'));
      assert.equal(seen.split('kept').length, way.length + 1);
    }
  }
});

/** A message with a value for each field that has no secret. */
function filled(message: string, passed: readonly string[]): unknown {
  const fields = messages.get(message)?.fields ?? [];
  if (passed.includes(message)) return {};
  return Object.fromEntries(
    fields.flatMap(({ name, type: of, kind: ofKind, label }): readonly (readonly [string, unknown])[] => {
      if (SECRETS[of] !== undefined) return [];
      const value = ofKind === 'message' ? filled(of, [...passed, message]) : 'text';
      return [[name, label === 'repeated' ? [value] : label === 'map' ? { key: value } : value]];
    }),
  );
}

test('a message without secrets is returned as the same object', () => {
  for (const { name } of schema.messages) {
    if (SECRETS[name] !== undefined || name === 'SecretValue') continue;
    const message = filled(name, []);
    assert.equal(withoutSecrets(message), message, name);
  }
});

test('the type and the reference of a secret and the principal of a credential stay', () => {
  const variable = { name: 'A', type: 'SECRET', secret: { type: 'VALUE', value: { data: VALUE } } };
  assert.deepEqual(withoutSecrets(variable), { name: 'A', type: 'SECRET', secret: { type: 'VALUE' } });
  const reference = { type: 'REFERENCE', reference: { name: '/s' } };
  assert.deepEqual(withoutSecrets(reference), reference);
  assert.deepEqual(withoutSecrets({ ...reference, value: { data: VALUE } }), reference);
  assert.deepEqual(withoutSecrets({ credential: SECRETS['Credential'] }), { credential: { principal: 'p' } });
  assert.deepEqual(withoutSecrets([variable, { name: 'B' }]), [
    { name: 'A', type: 'SECRET', secret: { type: 'VALUE' } },
    { name: 'B' },
  ]);
});

test('only the exact fields of a secret or a credential make a message one', () => {
  const others: readonly object[] = [
    { type: 'VALUE', value: { data: VALUE }, name: 'x' },
    { type: 'VALUE', value: null },
    { type: 'VALUE', value: { other: VALUE } },
    { value: 'data' },
    { principal: 'p', secret: { data: VALUE } },
    { principal: { value: 'p' }, secret: VALUE },
    { principal: 'p', secret: VALUE, other: 1 },
    { principal: 'p' },
    { secret: VALUE },
    { list: [null, 'text', 7, []] },
  ];
  for (const message of others) assert.equal(withoutSecrets(message), message, JSON.stringify(message));
});
