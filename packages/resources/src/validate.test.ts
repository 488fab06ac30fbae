import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import fc from 'fast-check';
import { equals } from './algebra.js';
import { hasRefinedReservations } from './kinds.js';
import { toEndpointFormat, toPostRefinement, toPreRefinement } from './reservation-formats.js';
import { anyList, anyResources, scalarOfName } from './testing.js';
import { admitResources, validateResources } from './validate.js';

const cpus = (amount: number, more: Partial<Resource> = {}): Resource => scalarOfName('cpus', amount, more);
const ports = (...pairs: [number, number][]): Resource => ({
  name: 'ports',
  type: 'RANGES',
  ranges: { range: pairs.map(([begin, end]) => ({ begin, end })) },
});
const set = (...item: string[]): Resource => ({ name: 'things', type: 'SET', set: { item } });
const stack = (...reservations: NonNullable<Resource['reservations']>[number][]) => cpus(1, { reservations });
const web = { role: 'web', type: 'DYNAMIC' } as const;
const disk = (more: Partial<Resource>): Resource => scalarOfName('disk', 1, { reservations: [web], ...more });
const source = (type: string, more = {}): Partial<Resource> => ({ disk: { source: { type: type as 'RAW', ...more } } });
const persistence = { id: 'v' };
const volume = { container_path: 'data', mode: 'RW' } as const;

test('resources that Mesos accepts are accepted, in either format', () => {
  const good: readonly Resource[] = [
    cpus(0),
    cpus(0.001),
    cpus(1, { role: '*' }),
    cpus(1, { role: 'web' }),
    cpus(1, { role: 'web', reservation: { principal: 'p' } }),
    stack({ role: 'web', type: 'STATIC' }, { role: 'web/a', type: 'DYNAMIC' }),
    cpus(1, { role: 'web', reservation: {}, reservations: [web] }),
    ports([5, 9], [1, 4]),
    ports(),
    set(),
    set('a', 'b'),
    disk(source('RAW')),
    disk(source('MOUNT', { mount: { root: '/m' } })),
    disk({ disk: { persistence, volume }, shared: {} }),
    cpus(1, { revocable: {} }),
  ];
  for (const resource of good) assert.deepEqual(validateResources([resource]), { ok: true, value: undefined });
});

test('refused resources have an error with the field and what was expected', () => {
  const bad: readonly (readonly [Resource, string])[] = [
    [cpus(-1), '.scalar.value: expected a number >= 0, got -1'],
    [cpus(Number.NaN), '.scalar.value: expected a number >= 0'],
    [cpus(0.0001), '.scalar.value: expected 0 or at least 0.001'],
    [{ name: '', type: 'SCALAR', scalar: { value: 1 } }, '.name: expected a name'],
    [{ name: 'x', type: 'TEXT' }, '.type: expected SCALAR, RANGES or SET, got TEXT'],
    [{ name: 'x', type: 'RANGES', scalar: { value: 1 } }, '.ranges: expected to be set'],
    [{ name: 'x', type: 'SCALAR', scalar: { value: 1 }, set: {} }, '.set: expected to be unset'],
    [ports([31005, 31001]), '.ranges.range[0]: expected begin <= end, got 31005-31001'],
    [ports([1, 5], [9, 9], [5, 6]), ".ranges: expected ranges that don't overlap, got 1-5 and 5-6"],
    [set('a', 'b', 'a'), '.set.item: expected each item once'],
    [cpus(1, { role: 'a b' }), '.role: role "a b"'],
    [cpus(1, { role: '*', reservation: {} }), '.role: expected a role other than "*"'],
    [cpus(1, { reservation: {} }), '.role: expected a role other than "*"'],
    [cpus(1, { role: 'a', reservation: { type: 'DYNAMIC' } }), '.reservation.type: expected to be unset'],
    [cpus(1, { role: 'a', reservation: { role: 'a' } }), '.reservation.role: expected to be unset'],
    [stack({ role: 'web' }), '.reservations[0].type: expected STATIC or DYNAMIC'],
    [stack({ type: 'DYNAMIC' }), '.reservations[0].role: expected to be set'],
    [stack({ role: '*', type: 'DYNAMIC' }), '.reservations[0].role: expected a role other than "*"'],
    [stack(web, { role: 'db', type: 'DYNAMIC' }), '.reservations[1].role: expected a role below "web", got "db"'],
    [stack(web, web), '.reservations[1].role: expected a role below "web"'],
    [stack(web, { role: 'web/a', type: 'STATIC' }), '.reservations[1].type: expected DYNAMIC'],
    [cpus(1, { role: 'db', reservation: {}, reservations: [web] }), '.role: expected "web"'],
    [cpus(1, { role: 'web', reservations: [web] }), '.reservation: expected `role` and `reservation` both set'],
    [cpus(1, { role: 'web', reservations: [web, { role: 'web/a', type: 'DYNAMIC' }] }), '.role: expected to be unset'],
    [cpus(1, { disk: {} }), '.disk: expected to be unset for cpus'],
    [disk(source('RAW', { mount: {} })), '.disk.source.mount: expected to be unset for a RAW disk'],
    [disk(source('BLOCK', { path: {} })), '.disk.source.path: expected to be unset for a BLOCK disk'],
    [disk(source('UNKNOWN')), '.disk.source.type: expected PATH, MOUNT, BLOCK or RAW'],
    [cpus(1, { shared: {} }), '.shared: expected to be unset'],
    [disk({ shared: {} }), '.shared: expected to be unset'],
  ];
  for (const [resource, text] of bad) {
    const answer = validateResources([cpus(1), resource], 'task.resources');
    assert.ok(!answer.ok, text);
    assert.ok(answer.error.text.startsWith(`task.resources[1]${text}`), `${answer.error.text} / ${text}`);
    assert.equal(answer.error.text.indexOf(`${answer.error.field}: `), 0);
  }
});

test('amounts, ends of ranges and lengths of lists are limited', () => {
  const range = (begin: number, end: number): Resource => ({
    name: 'ports',
    type: 'RANGES',
    ranges: { range: [{ begin, end }] },
  });
  const errors = (
    [
      [[cpus(1e300)], 'resources[0].scalar.value: expected at most 9007199254740.99, got 1e+300'],
      [[range(0, 2 ** 53)], 'resources[0].ranges.range[0]: expected numbers from 0 to 9007199254740990'],
      [[range(2 ** 60, 2 ** 63)], 'resources[0].ranges.range[0]: expected numbers from 0 to 9007199254740990'],
      [[range(-1, 4)], 'resources[0].ranges.range[0]: expected numbers from 0 to 9007199254740990'],
      [Array(1001).fill(cpus(1)), 'resources: expected at most 1000 items, got 1001'],
    ] as const
  ).map(([list, text]) => {
    const checked = validateResources(list);
    return checked.ok || !checked.error.text.startsWith(text) ? { list: list[0], checked, text } : undefined;
  });
  assert.deepEqual(errors.filter(Boolean), []);
  assert.ok(validateResources([range(0, 2 ** 53 - 2)]).ok);
});

test('a repeated item of a long set is refused', () => {
  const item = Array.from({ length: 100_000 }, (_, i) => `i${i}`);
  const set = (items: readonly string[]): Resource => ({ name: 's', type: 'SET', set: { item: items } });
  assert.ok(validateResources([set(item)]).ok);
  const twice = validateResources([set([...item, 'i7'])]);
  assert.equal(twice.ok ? '' : twice.error.text, 'resources[0].set.item: expected each item once, got "i7" twice');
});

test('a volume’s id is one path component, and its path stays in the sandbox', () => {
  const withId = (id: string) => validateResources([disk({ disk: { persistence: { id }, volume } })]);
  const at = (container_path: string) =>
    validateResources([disk({ disk: { persistence, volume: { ...volume, container_path } } })]);
  for (const id of ['', '.', '..', 'a/b', '../../victim', 'x\n', 'é'.repeat(128)]) {
    const accepted = withId(id);
    assert.equal(
      accepted.ok ? 'accepted' : accepted.error.field,
      'resources[0].disk.persistence.id',
      JSON.stringify(id),
    );
  }
  for (const path of ['', '.', '/', '..', 'a/../b', '../x', 'a\0b', 'a\nb', 'p'.repeat(300), 'p/'.repeat(3000)]) {
    const accepted = at(path);
    assert.equal(
      accepted.ok ? 'accepted' : accepted.error.field,
      'resources[0].disk.volume.container_path',
      JSON.stringify(path),
    );
  }
  assert.ok(withId('é'.repeat(127)).ok && withId('...').ok && at('a/./b').ok && at('/a').ok);
});

test('a volume’s role must be usable as a directory name', () => {
  const volumeOf = (more: Partial<Resource>) => validateResources([disk({ disk: { persistence, volume }, ...more })]);
  for (const role of ['r'.repeat(256), `a/${'é'.repeat(127)}`, 'a\0b', 'a\ud800', 'a\\b']) {
    const stacked = volumeOf({ reservations: [{ ...web, role }] });
    assert.equal(stacked.ok ? 'accepted' : stacked.error.field, 'resources[0].reservations', JSON.stringify(role));
    const old = volumeOf({ reservations: undefined, role, reservation: {} });
    assert.equal(old.ok ? 'accepted' : old.error.field, 'resources[0].role', JSON.stringify(role));
    assert.ok(validateResources([cpus(1, { role })]).ok, 'other resources lie in no directory');
  }
  assert.ok(volumeOf({ reservations: [{ ...web, role: `a/${'r'.repeat(253)}` }] }).ok);
});

test('a disk’s volume has no source or image', () => {
  const secret = { type: 'VALUE', value: { data: 'aHVudGVyMg==' } } as const;
  for (const more of [{ source: { type: 'SECRET', secret } }, { image: { type: 'DOCKER' } }] as const) {
    const accepted = validateResources([disk({ disk: { persistence, volume: { ...volume, ...more } } })]);
    const field = `resources[0].disk.volume.${Object.keys(more)[0]}`;
    assert.equal(
      accepted.ok ? 'accepted' : accepted.error.text,
      `${field}: expected to be unset: the disk itself is what is shown`,
    );
  }
});

test('post-refinement resources survive the conversion to the other formats and back', () => {
  fc.assert(
    fc.property(anyResources, (list) => {
      const old = toPreRefinement(list);
      assert.equal(old.ok, !list.some(hasRefinedReservations));
      if (old.ok) {
        assert.ok(validateResources(old.value).ok);
        assert.ok(old.value.every((r) => r.role !== undefined && r.reservations === undefined));
        assert.deepEqual(toPostRefinement(old.value), list);
      }
      assert.deepEqual(toPostRefinement(toEndpointFormat(list)), list);
      assert.ok(validateResources(toEndpointFormat(list)).ok);
      assert.equal(toPostRefinement(list), list, 'nothing to change');
    }),
  );
});

test('resources are converted to the format of Mesos’ endpoints', () => {
  const [shown] = toEndpointFormat([cpus(1, { reservations: [web] })]);
  assert.deepEqual(shown, cpus(1, { role: 'web', reservation: {}, reservations: [web] }));
  assert.deepEqual(Object.keys(shown as Resource), ['name', 'type', 'scalar', 'role', 'reservation', 'reservations']);
  assert.deepEqual(toEndpointFormat([cpus(1)]), [cpus(1, { role: '*' })]);
});

test('admitted lists are validated, converted and merged', () => {
  fc.assert(
    fc.property(anyList, (list) => {
      const admitted = admitResources(list);
      assert.ok(admitted.ok && equals(admitted.value, admitted.value));
      assert.equal(admitResources([...list, cpus(-1)]).ok, false);
    }),
  );
  assert.deepEqual(admitResources([cpus(1, { role: '*' }), cpus(0), cpus(1)]), { ok: true, value: [cpus(2)] });
});
