import assert from 'node:assert/strict';
import test from 'node:test';
import type { OfferOperation, Resource } from '@meseta/wire';
import fc from 'fast-check';
import { contains, equals, merge, type Resources } from './algebra.js';
import { formatResources } from './format.js';
import { isPersistentVolume, isUnreserved, needsCheckpoint } from './kinds.js';
import { unallocate } from './lists.js';
import { applyCheckpointed, applyOperation, stripVolume } from './operations.js';
import { quantitiesOf } from './quantities.js';
import { withFields } from './records.js';
import { anyResources, anySums, pushReservation, scalarOfName } from './testing.js';

const dynamic = { reservations: [{ role: 'web', type: 'DYNAMIC' as const }] };
const refined = { reservations: [...dynamic.reservations, { role: 'web/a', type: 'DYNAMIC' as const }] };
const cpus = (amount: number, more: Partial<Resource> = {}) => scalarOfName('cpus', amount, more);
const disk = (amount: number, more: Partial<Resource> = {}) => scalarOfName('disk', amount, { ...dynamic, ...more });
const volume = (amount: number, more: Partial<Resource> = {}) =>
  disk(amount, { disk: { persistence: { id: 'v' }, volume: { container_path: 'data', mode: 'RW' } }, ...more });

const reserve = (resources: Resources, source?: Resources): OfferOperation => ({
  type: 'RESERVE',
  reserve: { resources, ...(source && { source }) },
});
const unreserve = (...resources: Resource[]): OfferOperation => ({ type: 'UNRESERVE', unreserve: { resources } });
const create = (...volumes: Resource[]): OfferOperation => ({ type: 'CREATE', create: { volumes } });
const destroy = (...volumes: Resource[]): OfferOperation => ({ type: 'DESTROY', destroy: { volumes } });
const grow = (v: Resource, addition: Resource): OfferOperation => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume: v, addition },
});
const shrink = (v: Resource, value: number): OfferOperation => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume: v, subtract: { value } },
});

test('operations convert resources', () => {
  const table: readonly (readonly [string, Resources, OfferOperation, Resources])[] = [
    ['reserve', [cpus(4)], reserve([cpus(1, dynamic)]), [cpus(3), cpus(1, dynamic)]],
    [
      'reserve in the old format',
      [cpus(4)],
      reserve([cpus(1, { role: 'web', reservation: {} })]),
      [cpus(3), cpus(1, dynamic)],
    ],
    ['refine', [cpus(4, dynamic)], reserve([cpus(4, refined)]), [cpus(4, refined)]],
    ['reserve from others', [cpus(4, dynamic)], reserve([cpus(1)], [cpus(1, dynamic)]), [cpus(3, dynamic), cpus(1)]],
    ['unreserve', [cpus(3), cpus(1, dynamic)], unreserve(cpus(1, dynamic)), [cpus(4)]],
    ['unreserve one of two', [cpus(1, refined)], unreserve(cpus(1, refined)), [cpus(1, dynamic)]],
    ['create', [disk(100)], create(volume(64)), [disk(36), volume(64)]],
    ['create a shared one', [disk(64)], create(volume(64, { shared: {} })), [volume(64, { shared: {} })]],
    ['destroy', [disk(36), volume(64)], destroy(volume(64)), [disk(100)]],
    ['grow', [disk(36), volume(64)], grow(volume(64), disk(6)), [disk(30), volume(70)]],
    ['shrink', [disk(36), volume(64)], shrink(volume(64), 4), [disk(40), volume(60)]],
  ];
  for (const [label, before, operation, after] of table) {
    const applied = applyOperation(before, operation);
    assert.ok(applied.ok, `${label}: ${applied.ok || applied.error}`);
    assert.ok(equals(applied.value.resources, after), `${label}: ${formatResources(applied.value.resources)}`);
    assert.ok(
      contains(
        before,
        applied.value.conversions.flatMap((c) => c.consumed),
      ),
      label,
    );
  }
});

test('operations that do not apply are refused with the reason', () => {
  const shared = volume(64, { shared: {} });
  const provided = volume(64, { provider_id: { value: 'p' } });
  const table: readonly (readonly [string, Resources, OfferOperation, RegExp])[] = [
    ['too much', [cpus(4)], reserve([cpus(5, dynamic)]), /does not contain cpus:5/],
    ['not reserved', [cpus(4)], reserve([cpus(1)]), /expected reserved resources, got cpus:1/],
    ['unreserve unreserved', [cpus(4)], unreserve(cpus(1)), /dynamically reserved/],
    ['create of no volume', [disk(4)], create(disk(1)), /persistent volume/],
    ['destroy of another', [volume(64)], destroy(volume(63)), /does not contain/],
    ['destroy while shared', [shared, shared], destroy(shared), /still shared/],
    ['shrink to nothing', [volume(64)], shrink(volume(64), 64), /shrink_volume.subtract/],
    ['shrink by nothing', [volume(64)], shrink(volume(64), 0), /shrink_volume.subtract/],
    ['grow a provider’s', [provided], grow(provided, disk(1)), /resource provider/],
    ['grow without a body', [], { type: 'GROW_VOLUME' }, /grow_volume/],
    ['launch', [], { type: 'LAUNCH' }, /LAUNCH converts no resources/],
  ];
  for (const [label, before, operation, why] of table) {
    const applied = applyOperation(before, operation);
    assert.ok(!applied.ok, label);
    assert.match(applied.error, why, label);
  }
});

test('RESERVE and UNRESERVE change no quantity', () => {
  const free = anyResources.map((list) => unallocate(list).filter((r) => isUnreserved(r)));
  fc.assert(
    fc.property(free, (list) => {
      const expected = pushReservation(list, dynamic.reservations[0] as NonNullable<Resource['reservation']>);
      if (expected.length === 0) return;
      const reserved = applyOperation(list, reserve(expected));
      assert.ok(reserved.ok && equals(reserved.value.resources, expected));
      assert.deepEqual(quantitiesOf(reserved.value.resources), quantitiesOf(list));
      const back = applyOperation(reserved.value.resources, unreserve(...expected));
      assert.ok(back.ok && equals(back.value.resources, list));
    }),
  );
});

test('checkpointed resources applied to the flags’ resources give the agent’s total', () => {
  const bare = (r: Resource) => (isPersistentVolume(r) ? stripVolume(r) : r);
  const staticOf = (r: Resource) => r.reservations?.filter((reservation) => reservation.type === 'STATIC');
  fc.assert(
    fc.property(anySums, (list) => {
      const remembered = list.filter((r) => needsCheckpoint(r) && r.shared === undefined);
      const flags = list
        .filter((r) => r.shared === undefined)
        .map((r) => (needsCheckpoint(r) ? withFields(bare(r), { reservations: staticOf(r) }) : r));
      const total = applyCheckpointed(merge(flags), remembered);
      assert.ok(total.ok, total.ok ? '' : total.error);
      assert.ok(
        equals(
          total.value,
          list.filter((r) => r.shared === undefined),
        ),
      );
    }),
  );
});

test('checkpointed resources that the flags’ resources no longer contain are refused', () => {
  const lost = applyCheckpointed([cpus(1)], [cpus(2, dynamic)]);
  assert.ok(!lost.ok && /do not contain cpus:2/.test(lost.error));
  assert.equal(applyCheckpointed([cpus(1)], [cpus(1)]).ok, false);
});
