import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing, renderWireError, within } from './wire-error.js';

test('a WireFailure collects its path in the readers; other errors are unchanged', () => {
  const failure = missing('name', 'a string');
  assert.equal(within(failure, 'info'), failure);
  within(failure, '[2]');
  within(failure, '');
  within(failure, 'infos');
  assert.equal(failure.path, 'infos[2].info.name');
  const other = new Error('other');
  assert.equal(within(other, 'x'), other);
  assert.equal((other as { path?: string }).path, undefined);
  assert.equal(failure.name, 'WireFailure');
  assert.equal(failure.message, 'a string');
});

test('an error is one line with the field and the expected value', () => {
  const error = { code: 'type', message: 'M', path: '', expected: 'a string', found: undefined } as const;
  const table: readonly (readonly [line: string, wanted: string])[] = [
    [renderWireError(error), 'M: expected a string'],
    [renderWireError({ ...error, path: 'a.b' }), "field 'a.b' of M: expected a string"],
    [renderWireError({ ...error, found: '5' }), 'M: expected a string, found 5'],
    [
      renderWireError({ ...error, code: 'missing', path: 'a' }),
      "field 'a' of M is required but missing: expected a string",
    ],
    [
      renderWireError({ ...error, message: 'M\u0085', found: '"{\n\u001b' }),
      'M\\x85: expected a string, found "{\\n\\x1b',
    ],
  ];
  for (const [line, wanted] of table) assert.equal(line, wanted);
});
