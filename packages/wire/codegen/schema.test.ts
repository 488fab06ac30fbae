// Compares the schema with lists of Mesos' messages: the number, label, type and default of every field.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type EnumSchema, type FieldSchema, type MessageSchema, readSchema } from './schema.js';

const FACTS = '../shared/facts';
const skip = existsSync(FACTS) ? false : `${FACTS} is not here: the schema can't be compared`;
const schema = readSchema('packages/wire/proto');
const byName = new Map<string, MessageSchema>(schema.messages.map((message) => [message.fullName, message]));
const byTypeScriptName = new Map<string, MessageSchema | EnumSchema>(
  [...schema.messages, ...schema.enums].map((named) => [named.name, named]),
);

type Row = Readonly<Record<string, string>>;

function rows(file: string): readonly Row[] {
  const [head = '', ...lines] = readFileSync(`${FACTS}/${file}`, 'utf8').trim().split(/\r?\n/);
  const names = head.split(',');
  return lines.map((line) => {
    const values = [...line.matchAll(/(?:^|,)("[^"]*"|[^,]*)/g)].map((match) => (match[1] ?? '').replaceAll('"', ''));
    return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']));
  });
}

/** The name in the schema of a v0 or internal message: a slave is an agent, and public messages have their v1 names. */
function ours(name: string): string {
  const renamed = name.replaceAll('Slave', 'Agent').replaceAll('SLAVE', 'AGENT').replaceAll('slave', 'agent');
  return /^mesos\.(v1|internal)\./.test(renamed) ? renamed : renamed.replace(/^mesos\./, 'mesos.v1.');
}

function described(field: FieldSchema): Row {
  const target = byTypeScriptName.get(field.type)?.fullName ?? field.type;
  return {
    number: String(field.number),
    label: field.label,
    type: target.slice(target.lastIndexOf('.') + 1),
    default: field.defaultValue === undefined ? '' : String(field.defaultValue).toLowerCase(),
    deprecated: String(field.deprecated),
    oneof: field.oneof ?? '',
  };
}

function expected(row: Row): Row {
  const type = ours(row['type'] ?? '');
  const map = /^map<\s*\w+\s*,\s*([\w.]+)\s*>$/.exec(type)?.[1];
  const one = map ?? type;
  return {
    number: row['number'] ?? '',
    label: map === undefined ? row['label'] || 'optional' : 'map',
    type: one.slice(one.lastIndexOf('.') + 1),
    default: (row['default'] ?? '').toLowerCase(),
    deprecated: String(row['deprecated'] === 'True'),
    oneof: row['oneof'] ?? '',
  };
}

/** Fields in which v0 differs from v1 and the schema. */
const V0_ALONE: ReadonlySet<string> = new Set([
  'mesos.master.Call.DrainAgent.max_grace_period',
  'mesos.quota.QuotaRequest.force',
  'mesos.scheduler.Call.Subscribe.force',
  'mesos.scheduler.Call.Subscribe.offer_constraints',
  'mesos.scheduler.Call.Subscribe.suppressed_roles',
  'mesos.scheduler.Response.ReconcileOperations.operation_statuses',
  'mesos.scheduler.Response.reconcile_operations',
]);

for (const file of ['v1-fields.csv', 'internal-fields.csv']) {
  test(`every field of ${file} is in the schema`, { skip }, () => {
    const wrong: unknown[] = [];
    for (const row of rows(file)) {
      const name = `${row['message']}.${row['field']}`;
      const message = byName.get(ours(row['message'] ?? ''));
      if (row['field'] === '' ? message !== undefined : V0_ALONE.has(name)) continue;
      const field = message?.fields.find((candidate) => candidate.name === ours(row['field'] ?? ''));
      const is = field && described(field);
      const should = expected(row);
      if (!isDeepStrictEqual(is, should)) wrong.push({ name, is, should });
    }
    assert.deepEqual(wrong, []);
  });
}

test("the field numbers of a v0 Subscribe are Mesos'", { skip }, () => {
  const message = 'mesos.scheduler.Call.Subscribe';
  const facts = rows('internal-fields.csv').filter((row) => row['message'] === message);
  const fields = byName.get('mesos.v0.scheduler.Subscribe')?.fields ?? [];
  assert.deepEqual(Object.fromEntries(fields.map((field) => [field.name, described(field)])), {
    ...Object.fromEntries(facts.map((row) => [row['field'], expected(row)])),
  });
});

test("the schema has no field that Mesos' messages lack", { skip }, () => {
  const known = new Set(
    ['v1-fields.csv', 'internal-fields.csv'].flatMap((file) =>
      rows(file).map((row) => `${ours(row['message'] ?? '')}.${ours(row['field'] ?? '')}`),
    ),
  );
  const extra = schema.messages
    .filter((message) => !/^(google|mesos\.v0)\./.test(message.fullName))
    .flatMap((message) => message.fields.map((field) => `${message.fullName}.${field.name}`))
    .filter((name) => !known.has(name));
  assert.deepEqual(extra, []);
});

for (const file of ['v1-enums.csv', 'internal-enums.csv']) {
  test(`every value of ${file} is in the schema`, { skip }, () => {
    const enums = new Map(schema.enums.map((e) => [e.fullName, new Map(e.values)]));
    const wrong = rows(file).filter(
      (row) => enums.get(ours(row['enum'] ?? ''))?.get(ours(row['value'] ?? '')) !== Number(row['number']),
    );
    assert.deepEqual(wrong, []);
  });
}
