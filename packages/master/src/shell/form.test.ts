import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import { parseForm } from './form.js';

test('a form has a limit of fields', () => {
  const fields = (count: number): string => Array(count).fill('a=b').join('&');
  const most = parseForm(fields(LIMITS.formFields.most));
  assert.ok(most.ok && [...most.value].length === LIMITS.formFields.most);
  const over = parseForm(fields(LIMITS.formFields.most + 1));
  assert.equal(
    over.ok ? '' : over.error,
    `Body: expected a form of at most ${LIMITS.formFields.most} fields, found more`,
  );
});
