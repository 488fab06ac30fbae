import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LIMITS } from '@meseta/base';
import fc from 'fast-check';
import * as codecs from './codecs.js';
import { parseExactJson, setEntry } from './json-parser.js';

test('JSON with long integers gives the value of JSON.parse, with bigints for those integers', () => {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : part)));
  const long = '1234567890123456';
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom('', ' ', '\n\t\r '), (text, space) => {
      const spaced = `${space}[${space}${text}${space},${space}${long}]${space}`;
      const read = parseExactJson(spaced);
      assert.ok(read.ok);
      assert.deepEqual(plain(read.value), JSON.parse(spaced));
      assert.equal((read.value as unknown[])[1], BigInt(long));
    }),
  );
  const table: readonly (readonly [text: string, value: unknown])[] = [
    ['1234567890123456', 1234567890123456n],
    ['-123456789012345678', -123456789012345678n],
    ['[123456789012345, 1234567890123456]', [123456789012345, 1234567890123456n]],
    ['-12345678901234567', -12345678901234567n],
    ['[-12345678901234, 1234567890123456]', [-12345678901234, 1234567890123456n]],
    ['[1234567890123456.5]', [1234567890123456.5]],
    ['[12345678901234567e3]', [12345678901234567e3]],
    ['[1e5, 2.5E-3, -1e+2, 1234567890123456]', [1e5, 2.5e-3, -1e2, 1234567890123456n]],
    ['{"a":{}, "b" : [ ] , "c":1234567890123456}', { a: {}, b: [], c: 1234567890123456n }],
    ['["1234567890123456", true, false, null]', ['1234567890123456', true, false, null]],
    ['["\\"\\\\", "1234567890123456\\u0041"]', ['"\\', '1234567890123456A']],
  ];
  for (const [text, value] of table) assert.deepEqual(parseExactJson(text), { ok: true, value }, text);
});

test('JSON with long integers nests up to the limit', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}1234567890123456${']'.repeat(levels)}`;
  assert.ok(parseExactJson(nested(200)).ok);
  const deep = parseExactJson(nested(201));
  assert.ok(!deep.ok);
  assert.deepEqual([deep.error.code, deep.error.found], ['malformed', 'nested more than 200 levels deep']);
  const objects = `${'{"a":'.repeat(201)}1234567890123456${'}'.repeat(201)}`;
  assert.equal(parseExactJson(objects).ok, false);
});

test('a string from JSON with long integers does not keep the text of its document in memory', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const padding = ' '.repeat(1_000_000);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 50 }, (_, i) => {
    const parsed = parseExactJson(Buffer.from(`["the id of task ${i}",${padding}1234567890123456]`).toString());
    return parsed.ok && (parsed.value as readonly unknown[])[0];
  });
  collectGarbage();
  const bytes = (process.memoryUsage().heapUsed - before) / kept.length;
  assert.ok(bytes < 100_000, `each of ${kept.length} strings keeps ${bytes} bytes`);
  assert.equal(kept[7], 'the id of task 7');
});

test('an entry with any key is an own property', () => {
  const record: Record<string, number> = {};
  setEntry(record, '__proto__', 1);
  setEntry(record, 'a', 2);
  assert.deepEqual(Object.entries(record), [
    ['__proto__', 1],
    ['a', 2],
  ]);
  assert.ok(Reflect.set(record, '__proto__', 3));
  assert.equal(Reflect.get(record, '__proto__'), 3);
  assert.equal(Object.getPrototypeOf(record), Object.prototype);
});

const times = <T>(count: number, item: T): T[] => Array<T>(count).fill(item);

const { most: mostElements } = LIMITS.jsonElements;

const { most: mostFields } = LIMITS.jsonFields;

const fields = (count: number): string => Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',');

const json: readonly (readonly [what: string, text: string, taken: true | string])[] = [
  ['a list of all the values there may be', `[${times(mostElements - 2, '1').join()}]`, true],
  ['a list of more', `[${times(mostElements + 2, '1').join()}]`, `${mostElements} values`],
  ['lists of more', `[${times(mostElements, '[]').join()}]`, `${mostElements} values`],
  ['commas in strings', `["${','.repeat(2 * mostElements)}"]`, true],
  ['brackets in strings', `["${'['.repeat(2 * mostElements)}"]`, true],
  ['commas behind escaped quotes', `["${'\\"'.repeat(7)}${','.repeat(2 * mostElements)}"]`, true],
  [
    'commas behind escaped backslashes',
    `["${'\\\\'.repeat(7)}"${',1'.repeat(2 * mostElements)}]`,
    `${mostElements} values`,
  ],
  ['an object of all the fields there may be', `{${fields(mostFields)}}`, true],
  ['an object of more', `{${fields(mostFields + 1)}}`, `${mostFields} fields an object`],
  ['an object of more, within others', `[{"a":{${fields(mostFields + 1)}}}]`, `${mostFields} fields an object`],
  ['many objects of few fields', `[${times(40_000, '{"a":1,"b":2,"c":3}').join()}]`, true],
  ['200 levels', `${' '.repeat(5 * mostFields)}${'['.repeat(200)}${']'.repeat(200)}`, true],
  ['201 levels', `${' '.repeat(5 * mostFields)}${'['.repeat(201)}${']'.repeat(201)}`, '200 levels of nesting'],
  ['millions of levels', '['.repeat(3_000_000), '200 levels of nesting'],
  ['16 MiB', `"${'x'.repeat(LIMITS.jsonText.most - 2)}"`, true],
  ['more than 16 MiB', `"${'x'.repeat(LIMITS.jsonText.most - 1)}"`, '16777216 bytes'],
];

for (const [what, text, taken] of json) {
  test(`JSON from outside has limits: ${what}`, () => {
    const parsed = parseExactJson(text);
    if (taken === true) assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.expected);
    else assert.equal(parsed.ok ? '' : parsed.error.expected, `JSON with at most ${taken}`);
    if (text.length < 10_000_000 && !text.endsWith('[')) assert.ok(parseExactJson(text, 'trusted').ok);
  });
}

test('integers of up to 64 bits are exact; a million digits are read without delay', () => {
  const read = (text: string): unknown => {
    const parsed = parseExactJson(`{"a":${text}}`);
    return parsed.ok && (parsed.value as { readonly a: unknown }).a;
  };
  assert.equal(read('9007199254740993'), 9007199254740993n);
  assert.equal(read('18446744073709551615'), 18446744073709551615n);
  assert.equal(read('-9223372036854775808'), -9223372036854775808n);
  assert.equal(read('123456789012345678901'), 123456789012345680000);
  assert.equal(read('9'.repeat(1_000_000)), Number.POSITIVE_INFINITY);
  const time = codecs.TimeInfoCodec.read({ nanoseconds: '9'.repeat(1_000_000) });
  assert.equal(time.ok ? '' : time.error.path, 'nanoseconds');
  const shown = time.ok ? '' : (time.error.found ?? '');
  assert.ok(shown.length < 100, shown);
});
