// Bundles: interned lists of resources that are cheap to compare, add and subtract.
//
// Owns: the table of the bundles in use, so that equal lists are one object. Boundary: a bundle is immutable and stays
// valid after the table dropped it.
// BUNDLE-1: bundles have equal keys if and only if they have equal contents. A disk's `volume` and the principal of its
//     persistence are in the key although the algebra ignores them, because messages contain them.
// BUNDLE-2: a table never uses an id twice. Two bundles with one key have different ids only if the table dropped the first
//     in between, so that `isSameBundle` also compares keys.
// BUNDLE-3: divisible scalars without a disk are slots and amounts, sorted by slot key; all other resources are records.
//     Slots and records never merge with each other, so that sums of slots need no records; these are made on first use.
// BUNDLE-4: the table has at most twice its budget of bundles, in two generations. The older is dropped when the younger is
//     full; a bundle that is used in between moves to the younger.
import type { Resource } from '@meseta/wire';
import { add, contains, merge, type Resources, subtract } from './algebra.js';
import { metadataKey } from './identity.js';
import { isScalar, thousandthsOf } from './kinds.js';
import { allocate, distinctShared, unallocate } from './lists.js';
import { noQuantities, type Quantities, quantitiesFromAmounts } from './quantities.js';
import { withAmount } from './records.js';
import { toPreRefinement } from './reservation-formats.js';

export interface Bundle {
  /** Never used twice by its table. */
  readonly id: number;
  /** The contents as a string (BUNDLE-1). */
  readonly key: string;
  readonly isEmpty: boolean;
  /** Canonical order (see `metadataKey`), post-refinement format, frozen; computed once. */
  readonly resources: Resources;
  /** In the pre-refinement format; undefined if a reservation is refined. */
  readonly preRefinement: readonly Resource[] | undefined;
  readonly quantities: Quantities;
  /** The same with `allocation_info.role` set in every resource. */
  allocatedTo(role: string): Bundle;
  readonly unallocated: Bundle;
}

export interface BundleTable {
  readonly empty: Bundle;
  /** The bundle of a list in the post-refinement format, merged or not. */
  intern(list: readonly Resource[]): Bundle;
  add(a: Bundle, b: Bundle): Bundle;
  /** Amounts of `b` beyond those of `a` are ignored. */
  subtract(a: Bundle, b: Bundle): Bundle;
  /** The number of bundles in the table. */
  readonly size: number;
}

interface Slot {
  readonly key: string;
  readonly template: Resource;
}

interface Parts {
  readonly slots: readonly Slot[];
  /** Thousandths, above 0, one a slot. */
  readonly amounts: readonly number[];
  /** Sorted by `recordKey`. */
  readonly records: Resources;
  readonly recordsKey: string;
}

const NOTHING: Parts = { slots: [], amounts: [], records: [], recordsKey: '' };
/** A bundle is rarely allocated to more roles; beyond this number the oldest allocated form is dropped. */
const MAX_ALLOCATED_FORMS = 16;

/** A table of at least the `budget` bundles used last, and at most twice as many. */
export function createBundleTable(budget = 16_384): BundleTable {
  let young = new Map<string, InternedBundle>();
  let old = new Map<string, InternedBundle>();
  let nextId = 0;

  const intern = (parts: Parts): Bundle => {
    const key = keyOf(parts);
    if (key === '') return empty;
    const known = young.get(key);
    if (known !== undefined) return known;
    const bundle = old.get(key) ?? new InternedBundle(nextId++, key, parts, table);
    if (young.size >= budget) {
      old = young;
      young = new Map();
    }
    young.set(key, bundle);
    return bundle;
  };

  const table: BundleTable = {
    get empty() {
      return empty;
    },
    intern: (list) => intern(partsOf(list)),
    add(a, b) {
      if (b.isEmpty) return a;
      return a.isEmpty ? b : intern(sumOf(partsIn(a), partsIn(b)));
    },
    subtract(a, b) {
      if (a.isEmpty || b.isEmpty) return a;
      return isSameBundle(a, b) ? empty : intern(differenceOf(partsIn(a), partsIn(b)));
    },
    get size() {
      return young.size + old.size;
    },
  };
  const empty = new InternedBundle(nextId++, '', NOTHING, table);
  return table;
}

export const isSameBundle = (a: Bundle, b: Bundle): boolean => a === b || a.key === b.key;

/** Whether `a` has all of `b`. */
export function containsBundle(a: Bundle, b: Bundle): boolean {
  if (b.isEmpty || isSameBundle(a, b)) return true;
  const outer = partsIn(a);
  const inner = partsIn(b);
  let i = 0;
  for (let k = 0; k < inner.slots.length; k++) {
    const key = (inner.slots[k] as Slot).key;
    while (i < outer.slots.length && (outer.slots[i] as Slot).key < key) i++;
    if ((outer.slots[i] as Slot | undefined)?.key !== key) return false;
    if ((outer.amounts[i] as number) < (inner.amounts[k] as number)) return false;
  }
  return inner.recordsKey === '' || outer.recordsKey === inner.recordsKey || contains(outer.records, inner.records);
}

class InternedBundle implements Bundle {
  readonly isEmpty: boolean;
  #resources: Resources | undefined;
  #preRefinement: readonly Resource[] | undefined | null = null;
  #quantities: Quantities | undefined;
  #unallocated: Bundle | undefined;
  #allocations: Map<string, Bundle> | undefined;

  constructor(
    readonly id: number,
    readonly key: string,
    readonly parts: Parts,
    readonly table: BundleTable,
  ) {
    this.isEmpty = key === '';
  }

  get resources(): Resources {
    this.#resources ??= Object.freeze(recordsOf(this.parts));
    return this.#resources;
  }

  get preRefinement(): readonly Resource[] | undefined {
    if (this.#preRefinement === null) {
      const converted = toPreRefinement(this.resources);
      this.#preRefinement = converted.ok ? Object.freeze(converted.value) : undefined;
    }
    return this.#preRefinement;
  }

  get quantities(): Quantities {
    this.#quantities ??= this.isEmpty ? noQuantities : quantitiesIn(this.parts);
    return this.#quantities;
  }

  get unallocated(): Bundle {
    this.#unallocated ??= this.table.intern(unallocate(this.resources));
    return this.#unallocated;
  }

  allocatedTo(role: string): Bundle {
    this.#allocations ??= new Map();
    const known = this.#allocations.get(role);
    if (known !== undefined) return known;
    const allocated = this.table.intern(allocate(this.resources, role));
    if (this.#allocations.size >= MAX_ALLOCATED_FORMS) {
      const [oldest] = this.#allocations.keys();
      this.#allocations.delete(oldest as string);
    }
    this.#allocations.set(role, allocated);
    return allocated;
  }
}

const partsIn = (bundle: Bundle): Parts => (bundle as InternedBundle).parts;

const isPlain = (resource: Resource): boolean =>
  isScalar(resource) && resource.disk === undefined && resource.shared === undefined;

function partsOf(list: readonly Resource[]): Parts {
  const merged = merge(list);
  const plain = merged
    .filter(isPlain)
    .map((template) => ({ key: metadataKey(template), template }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const others = plain.length === merged.length ? NOTHING : sortedRecords(merged.filter((r) => !isPlain(r)));
  return { ...others, slots: plain, amounts: plain.map((slot) => thousandthsOf(slot.template)) };
}

function sortedRecords(records: Resources): Parts {
  const keyed = records.map((resource) => ({ resource, key: recordKey(resource) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    ...NOTHING,
    records: keyed.map(({ resource }) => resource),
    recordsKey: keyed.map(({ key }) => key).join('\u0003'),
  };
}

/** Metadata first (the canonical order), then what the algebra ignores, then the value. */
function recordKey(resource: Resource): string {
  const { disk } = resource;
  const ignored = disk && [disk.volume, disk.persistence?.principal];
  const value = resource.scalar ? thousandthsOf(resource) : (resource.ranges?.range ?? resource.set?.item);
  return `${metadataKey(resource)}\u0002${JSON.stringify([ignored, value])}`;
}

function keyOf(parts: Parts): string {
  let key = '';
  for (let i = 0; i < parts.slots.length; i++) key += `${(parts.slots[i] as Slot).key}=${parts.amounts[i]}\u0002`;
  return parts.recordsKey === '' ? key : `${key}\u0004${parts.recordsKey}`;
}

function sumOf(a: Parts, b: Parts): Parts {
  const slots: Slot[] = [];
  const amounts: number[] = [];
  let i = 0;
  let k = 0;
  while (i < a.slots.length || k < b.slots.length) {
    const left = a.slots[i];
    const right = b.slots[k];
    const fromLeft = right === undefined || (left !== undefined && left.key <= right.key);
    const fromRight = left === undefined || (right !== undefined && right.key <= left.key);
    slots.push((fromLeft ? left : right) as Slot);
    amounts.push((fromLeft ? (a.amounts[i] as number) : 0) + (fromRight ? (b.amounts[k] as number) : 0));
    if (fromLeft) i++;
    if (fromRight) k++;
  }
  if (b.recordsKey === '') return { slots, amounts, records: a.records, recordsKey: a.recordsKey };
  if (a.recordsKey === '') return { slots, amounts, records: b.records, recordsKey: b.recordsKey };
  return { ...sortedRecords(add(a.records, b.records)), slots, amounts };
}

function differenceOf(a: Parts, b: Parts): Parts {
  const slots: Slot[] = [];
  const amounts: number[] = [];
  let k = 0;
  for (let i = 0; i < a.slots.length; i++) {
    const slot = a.slots[i] as Slot;
    while (k < b.slots.length && (b.slots[k] as Slot).key < slot.key) k++;
    const subtracted = (b.slots[k] as Slot | undefined)?.key === slot.key ? (b.amounts[k] as number) : 0;
    const rest = (a.amounts[i] as number) - subtracted;
    if (rest <= 0) continue;
    slots.push(slot);
    amounts.push(rest);
  }
  if (b.recordsKey === '') return { slots, amounts, records: a.records, recordsKey: a.recordsKey };
  if (a.recordsKey === b.recordsKey) return { ...NOTHING, slots, amounts };
  return { ...sortedRecords(subtract(a.records, b.records)), slots, amounts };
}

function recordsOf({ slots, amounts, records }: Parts): Resource[] {
  const plain = slots.map(({ template }, i) => {
    const amount = amounts[i] as number;
    return thousandthsOf(template) === amount ? template : withAmount(template, amount);
  });
  if (records.length === 0) return plain;
  const keyed = [...plain, ...records].map((resource) => ({ resource, key: metadataKey(resource) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ resource }) => resource);
}

function quantitiesIn({ slots, amounts, records }: Parts): Quantities {
  const totals = new Map<string, number>();
  const count = (name: string, amount: number): void => {
    totals.set(name, (totals.get(name) ?? 0) + amount);
  };
  slots.forEach(({ template }, i) => {
    count(template.name, amounts[i] as number);
  });
  for (const resource of distinctShared(records)) {
    if (isScalar(resource)) count(resource.name, thousandthsOf(resource));
  }
  return quantitiesFromAmounts(totals);
}
