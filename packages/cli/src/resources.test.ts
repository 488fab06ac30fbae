import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError, EXIT } from './command.js';
import { parseResources, parseScalars } from './resources.js';

test('resources are scalars and ranges as text, or a JSON list of any', () => {
  assert.deepEqual(parseResources('reserve', 'cpus:2; ports:[1-2, 5-9]'), [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 2 } },
    {
      name: 'ports',
      type: 'RANGES',
      ranges: {
        range: [
          { begin: 1, end: 2 },
          { begin: 5, end: 9 },
        ],
      },
    },
  ]);
  const set = { name: 'racks', type: 'SET', set: { item: ['a'] } };
  assert.deepEqual(parseResources('reserve', JSON.stringify([set])), [set]);
});

test('malformed resources and amounts are errors of the command line that name the argument', () => {
  const table: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => parseResources('reserve', 'cpus:x'),
      /^meseta reserve: RESOURCES: expected resources such as .*, got 'cpus:x'/,
    ],
    [() => parseResources('reserve', '[{'), /RESOURCES: expected a JSON list/],
    [() => parseResources('reserve', '[null]'), /RESOURCES\[0\]: .*expected an object/],
    [() => parseResources('reserve', '[{"name":"a","type":"SCALAR"},{"name":7}]'), /RESOURCES\[1\]: .*name/],
    [() => parseScalars('quota set', 'limit', 'cpus:-1'), /--limit: expected amounts such as .*, got 'cpus:-1'/],
  ];
  for (const [parse, message] of table)
    assert.throws(
      parse,
      (error) => error instanceof CommandError && error.exitCode === EXIT.usage && message.test(error.message),
      String(message),
    );
});
