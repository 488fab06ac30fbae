import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { createDatedTexts, dateLine } from './http-date.js';

test('HTTP-DATE-1: a dated text is kept for its second and made anew in the next', (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 31, 12, 0, 0, 100) });
  t.after(() => mock.timers.reset());
  const datedText = createDatedTexts();
  let made = 0;
  const make = (line: string): string => {
    made++;
    return `202 ${line}`;
  };
  assert.equal(datedText('202', make), '202 Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n');
  mock.timers.tick(800);
  datedText('202', make);
  datedText('404', make);
  assert.equal(made, 2);
  mock.timers.tick(100);
  assert.equal(datedText('202', make), '202 Date: Sat, 31 Jan 2026 12:00:01 GMT\r\n');
  assert.equal(dateLine(), 'Date: Sat, 31 Jan 2026 12:00:01 GMT\r\n');
});
