import assert from 'node:assert/strict';
import { test } from 'node:test';
import { terminalText } from './output.js';

test('a text for the terminal keeps its line breaks and shows other control characters as escapes', () => {
  assert.equal(terminalText('web\u001b[2J\nsecond\rline\u009b'), 'web\\x1b[2J\nsecond\\rline\\x9b');
});
