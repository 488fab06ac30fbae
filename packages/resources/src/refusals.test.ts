// What is refused, word by word: an error names the field and what was expected.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { OfferOperation, Resource } from '@meseta/wire';
import { resourcesFromJson } from './json.js';
import { applyCheckpointed, applyOperation, conversionsOf } from './operations.js';
import { parseAttributes, parseResourceList, parseResources } from './parse.js';
import { validateRole } from './roles.js';
import { scalarOfName } from './testing.js';
import { validateResources } from './validate.js';

const web = { role: 'web', type: 'DYNAMIC' as const };
const cpus = (amount: number, more: Partial<Resource> = {}): Resource => scalarOfName('cpus', amount, more);
const disk = (more: Partial<Resource>): Resource => scalarOfName('disk', 1, { reservations: [web], ...more });
const usage = { container_path: 'data', mode: 'RW' as const };
const volume = (id: string, more: Partial<Resource> = {}): Resource =>
  disk({ disk: { persistence: { id }, volume: usage }, ...more });

const errorOf = (answer: { readonly ok: boolean; readonly error?: unknown }): unknown => {
  if (answer.ok) return 'accepted';
  return typeof answer.error === 'string' ? answer.error : (answer.error as { text: string }).text;
};

test('pre-refinement fields beside one reservation must agree with it', () => {
  const labels = { labels: [{ key: 'k' }] };
  const principal = { ...web, principal: 'p' };
  const table: readonly (readonly [more: Partial<Resource>, expected: string])[] = [
    [{ role: 'web', reservation: { principal: 'p' }, reservations: [principal] }, 'accepted'],
    [{ role: 'web', reservation: { labels }, reservations: [{ ...web, labels }] }, 'accepted'],
    [{ role: 'web', reservation: {}, reservations: [{ ...web, principal: '', labels: {} }] }, 'accepted'],
    [{ role: 'web', reservations: [{ ...web, type: 'STATIC' }] }, 'accepted'],
    [
      { role: 'web', reservation: {}, reservations: [{ ...web, type: 'STATIC' }] },
      '.reservation: expected to be unset beside a STATIC reservation',
    ],
    [
      { role: 'web', reservation: {}, reservations: [principal] },
      '.reservation.principal: expected the principal of `reservations`',
    ],
    [
      { role: 'web', reservation: { principal: 'q' }, reservations: [principal] },
      '.reservation.principal: expected the principal of `reservations`',
    ],
    [
      { role: 'web', reservation: { labels }, reservations: [web] },
      '.reservation.labels: expected the labels of `reservations`',
    ],
    [
      { reservation: {}, reservations: [web] },
      '.reservation: expected `role` and `reservation` both set or both unset beside a DYNAMIC reservation',
    ],
    [
      { reservation: {}, reservations: [web, { role: 'web/a', type: 'DYNAMIC' }] },
      '.reservation: expected to be unset beside several `reservations`',
    ],
    [{ role: 'a b' }, '.role: role "a b": must not contain whitespace or delete'],
    [
      { role: 'x', reservation: { type: 'DYNAMIC' } },
      '.reservation.type: expected to be unset (it belongs to `reservations`)',
    ],
    [
      { role: 'x', reservation: { role: 'x' } },
      '.reservation.role: expected to be unset (it belongs to `reservations`)',
    ],
    [{ reservation: {} }, '.role: expected a role other than "*" for a dynamic reservation'],
  ];
  for (const [more, expected] of table) {
    const list = [cpus(1), { ...cpus(1), ...more }];
    assert.equal(errorOf(validateResources(list)), expected === 'accepted' ? expected : `resources[1]${expected}`);
  }
});

test('invalid values are refused with an error that names the field', () => {
  const ranges = (...pairs: [number, number][]): Resource => ({
    name: 'ports',
    type: 'RANGES',
    ranges: { range: pairs.map(([begin, end]) => ({ begin, end })) },
  });
  const apart = "resources[0].ranges: expected ranges that don't overlap, got";
  const table: readonly (readonly [Resource, expected: string])[] = [
    [cpus(0.0005), 'accepted'],
    [cpus(0.0004), 'resources[0].scalar.value: expected 0 or at least 0.001 (three decimals count), got 0.0004'],
    [cpus(Infinity), 'resources[0].scalar.value: expected a number >= 0, got Infinity'],
    [{ name: 'x', type: 'RANGES', ranges: {} }, 'accepted'],
    [{ name: 'x', type: 'SET', set: {} }, 'accepted'],
    [{ name: 'x', type: 'SET' }, 'resources[0].set: expected to be set for the type SET'],
    [{ ...ranges([1, 2]), scalar: { value: 1 } }, 'resources[0].scalar: expected to be unset for the type RANGES'],
    [{ ...cpus(1), ranges: {} }, 'resources[0].ranges: expected to be unset for the type SCALAR'],
    [ranges([0, 0], [1, 1]), 'accepted'],
    [ranges([5, 9], [1, 4]), 'accepted'],
    [ranges([5, 9], [1, 5]), `${apart} 1-5 and 5-9`],
    [ranges([1, 4], [1, 2]), `${apart} 1-4 and 1-2`],
    [ranges([1, 2], [3, 2]), 'resources[0].ranges.range[1]: expected begin <= end, got 3-2'],
    [{ ...cpus(1), shared: {} }, 'resources[0].shared: expected to be unset: only persistent volumes can be shared'],
    [
      { ...volume('v'), name: 'x', disk: undefined as never, shared: {} },
      'resources[0].shared: expected to be unset: only persistent volumes can be shared',
    ],
  ];
  for (const [resource, expected] of table) assert.equal(errorOf(validateResources([resource])), expected);
});

test('invalid role names are refused with the reason', () => {
  const table: readonly (readonly [role: string, why: string])[] = [
    ['', 'expected a name, got an empty string'],
    ['/a', 'must not start with a slash'],
    ['a/', 'must not end with a slash'],
    ['/', 'must not start with a slash'],
    ['a//b', 'must not have two slashes in a row'],
    ['a/..', 'must not have a part ".."'],
    ['./a', 'must not have a part "."'],
    ['*/a', 'must not have a part "*"'],
    ['a/-b', 'no part may start with a dash'],
    ...['\t', '\n', '\v', '\f', '\r', ' ', '\x7f'].map(
      (bad) => [`a${bad}b`, 'must not contain whitespace or delete'] as const,
    ),
  ];
  for (const [role, why] of table) assert.equal(errorOf(validateRole(role)), `role ${JSON.stringify(role)}: ${why}`);
});

test('invalid resources and attributes in flags are refused with the value', () => {
  const table: readonly (readonly [found: unknown, expected: string])[] = [
    [errorOf(parseResources('x:[1-2')), 'x: expected ranges such as [31000-32000,33000-33010], got [1-2'],
    [errorOf(parseResources('x:y[1-2]')), 'x: expected a value, got "y[1-2]"'],
    [errorOf(parseResources('x: ')), 'expected name:value or name(role):value, got "x:"'],
    [errorOf(parseResources('x:{a}b')), 'x: expected a set such as {a,b}, got {a}b'],
    [errorOf(parseResources('x:[1-2]3')), 'x: expected ranges such as [31000-32000,33000-33010], got [1-2]3'],
    [errorOf(parseResources('x:[a1-2]')), 'x: expected ranges such as [31000-32000,33000-33010], got [a1-2]'],
    [errorOf(parseResources('x:[1-2a]')), 'x: expected ranges such as [31000-32000,33000-33010], got [1-2a]'],
    [errorOf(parseResources('x:a')), 'x: expected a number >= 0, [ranges] or {a set}, got a'],
    [errorOf(parseAttributes('rack')), 'expected name:value, got "rack"'],
    [errorOf(parseAttributes(':x')), 'expected name:value, got ":x"'],
    [errorOf(parseAttributes('rack:')), 'expected name:value, got "rack:"'],
    [errorOf(parseAttributes('rack:a]')), 'rack: expected a value, got "a]"'],
    [errorOf(parseAttributes('rack: ;x:1')), 'expected name:value, got "rack:"'],
    [errorOf(parseAttributes('rack:{a}')), 'rack: expected a text, a number or [ranges]: attributes can not be sets'],
    [errorOf(resourcesFromJson('{}')), 'expected a JSON array of resources'],
    [errorOf(resourcesFromJson('1')), 'expected a JSON array of resources'],
  ];
  for (const [found, expected] of table) assert.equal(found, expected);
  assert.match(String(errorOf(resourcesFromJson('['))), /^expected a JSON array of resources: .+/);
  assert.deepEqual(parseResourceList('x:{a,,b,}'), {
    ok: true,
    value: [{ name: 'x', type: 'SET', set: { item: ['a', 'b'] } }],
  });
});

test('operations on unsuitable resources are refused with the reason', () => {
  const table: readonly (readonly [OfferOperation, expected: string])[] = [
    [{ type: 'GROW_VOLUME' }, 'grow_volume: expected to be set for GROW_VOLUME'],
    [{ type: 'SHRINK_VOLUME' }, 'shrink_volume: expected to be set for SHRINK_VOLUME'],
    [{ type: 'LAUNCH' }, 'the operation LAUNCH converts no resources'],
    [{}, 'the operation UNKNOWN converts no resources'],
    [{ type: 'RESERVE', reserve: { resources: [cpus(1)] } }, 'expected reserved resources, got cpus:1'],
    [
      { type: 'UNRESERVE', unreserve: { resources: [cpus(1)] } },
      'expected a dynamically reserved resource, got cpus:1',
    ],
    [{ type: 'CREATE', create: { volumes: [cpus(1)] } }, 'expected a persistent volume, got cpus:1'],
    [{ type: 'DESTROY', destroy: { volumes: [cpus(1)] } }, 'expected a persistent volume, got cpus:1'],
    [
      {
        type: 'GROW_VOLUME',
        grow_volume: { volume: volume('v', { provider_id: { value: 'p' } }), addition: disk({}) },
      },
      'the volume of a resource provider can not be grown',
    ],
    [
      {
        type: 'SHRINK_VOLUME',
        shrink_volume: { volume: volume('v', { provider_id: { value: 'p' } }), subtract: { value: 1 } },
      },
      'the volume of a resource provider can not be shrunk',
    ],
    ...[0, 1, 1.5].map(
      (amount) =>
        [
          { type: 'SHRINK_VOLUME', shrink_volume: { volume: volume('v'), subtract: { value: amount } } },
          `shrink_volume.subtract: expected more than 0 and less than the volume has, got ${amount}`,
        ] as const,
    ),
  ];
  for (const [operation, expected] of table) assert.equal(errorOf(conversionsOf(operation)), expected);
  assert.deepEqual(conversionsOf({ type: 'RESERVE' }), { ok: true, value: [{ consumed: [], converted: [] }] });
  for (const type of ['UNRESERVE', 'CREATE', 'DESTROY'] as const)
    assert.deepEqual(conversionsOf({ type }), { ok: true, value: [] });
  assert.equal(
    errorOf(applyOperation([cpus(1)], { type: 'RESERVE', reserve: { resources: [cpus(2, { reservations: [web] })] } })),
    'cpus:1 does not contain cpus:2',
  );
});

test('checkpointed resources must be contained in the agent’s resources', () => {
  const fixed = { role: 'web', type: 'STATIC' as const };
  const refined = { role: 'web/a', type: 'DYNAMIC' as const };
  const table: readonly (readonly [total: Resource[], kept: Resource[], expected: unknown])[] = [
    [[cpus(2)], [cpus(1, { reservations: [web] })], [cpus(1), cpus(1, { reservations: [web] })]],
    [
      [cpus(2, { reservations: [fixed] })],
      [cpus(1, { reservations: [fixed, refined] })],
      [cpus(1, { reservations: [fixed] }), cpus(1, { reservations: [fixed, refined] })],
    ],
    [[cpus(1)], [cpus(1)], 'did not expect cpus:1 among checkpointed resources'],
    [[cpus(1)], [cpus(2, { reservations: [web] })], "the agent's resources cpus:1 do not contain cpus:2"],
    [
      [scalarOfName('disk', 1, { reservations: [fixed] })],
      [volume('v', { reservations: [fixed], shared: {} })],
      [volume('v', { reservations: [fixed], shared: {} })],
    ],
  ];
  for (const [total, kept, expected] of table) {
    const answer = applyCheckpointed(total, kept);
    assert.deepEqual(answer.ok ? answer.value : answer.error, expected);
  }
});
