import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfo } from './mount-info.js';

test('a mount has its point without escapes, whether it is writable, its type and the options of its file system', () => {
  const line = '36 35 98:0 / /a\\040b\\134c ro,nosuid shared:9 - overlay none rw,lowerdir=/x';
  const mount = { point: '/a b\\c', isWritable: false, type: 'overlay', superOptions: ['rw', 'lowerdir=/x'] };
  assert.deepEqual(parseMountInfo(`${line}\n`), [mount]);
});

test('a line in another form is no mount', () => {
  assert.deepEqual(parseMountInfo('\n - \n1 2 3 - cgroup cgroup rw\nx'), []);
});
