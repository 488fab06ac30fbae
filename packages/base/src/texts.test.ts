import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeControls, quoted, withoutTrailing } from './texts.js';

test('only characters at the end of a text are removed', () => {
  const table = [
    ['/a//', '/a'],
    ['//a', '//a'],
    ['//', ''],
    ['', ''],
  ] as const;
  for (const [text, without] of table) assert.equal(withoutTrailing(text, '/'), without, text);
});

test('an error quotes at most 200 characters of a text', () => {
  assert.equal(quoted('a"b\n'), '"a\\"b\\n"');
  assert.equal(quoted('x'.repeat(200)), `"${'x'.repeat(200)}"`);
  assert.equal(quoted(`${'x'.repeat(200)}y`), `"${'x'.repeat(200)}"... (201 characters)`);
  assert.ok(quoted('\0'.repeat(32 * 2 ** 20)).length < 2_000);
});

test('control characters are visible escapes, so that a text is one line', () => {
  assert.equal(escapeControls('a\nb\r\tc\u001b[2Jd\u0085é'), 'a\\nb\\r\\tc\\x1b[2Jd\\x85é');
});
