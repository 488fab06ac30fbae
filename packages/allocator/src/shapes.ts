// Shapes: bundles with their vectors, with the views that roles and capabilities allow, and with the part that fits quota.
// Each is computed once while the bundle is in use.
import {
  type Bundle,
  type BundleTable,
  hasRefinedReservations,
  isAllocatableTo,
  isReserved,
  isRevocable,
  isScalar,
  isShared,
  isUnreserved,
  nonShared,
  reservationsByRole,
  shrinkToLimits,
} from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import type { Dimensions } from './dimensions.js';
import { differs, type Vector } from './vectors.js';

/** Framework capabilities without which some resources are not offered. */
export const CAN_SHARE = 1;
export const CAN_REVOKE = 2;
export const CAN_REFINE = 4;
const KINDS = CAN_SHARE | CAN_REVOKE | CAN_REFINE;

/** Of an unallocated bundle. */
export interface Shape {
  readonly bundle: Bundle;
  /** All scalars, which count in shares. */
  readonly scalars: Vector;
  /** Unreserved, non-revocable scalars, which count against quota limits and for headroom. */
  readonly countable: Vector;
  /** Whether every framework in every role may be offered all of it. */
  readonly isUnrestricted: boolean;
  readonly hasShared: boolean;
  /** Without the shared resources, which stay free while they are offered and allocated. */
  readonly unshared: Bundle;
  /** Reserved scalars by role; undefined: nothing is reserved. */
  readonly reserved: ReadonlyMap<string, Vector> | undefined;
  /** Whether it contains one of the master's minimums; undefined: not computed yet. */
  meetsMinimum: boolean | undefined;
  readonly views: Map<string, Shape>;
  lastCut: { readonly allowed: Vector; readonly shape: Shape } | undefined;
}

export interface Shapes {
  of(unallocated: Bundle): Shape;
  /** The resources that a framework with these capabilities may be offered in the role. */
  viewOf(shape: Shape, role: string, capabilities: number): Shape;
  /** Cuts the countable amounts to `allowed`, which is as long as `shape.countable`. */
  cut(shape: Shape, allowed: Vector): Shape;
  /** The shape without the shared resources of `other`. */
  withoutShared(shape: Shape, other: Bundle): Shape;
  /** Empties the cache, because dimensions were freed. */
  clear(): void;
}

const isCountable = (resource: Resource): boolean =>
  isScalar(resource) && isUnreserved(resource) && !isRevocable(resource);

const MAX_VIEWS = 4096;

/** The cache has at most twice its budget of shapes, in two generations. */
export function createShapes(table: BundleTable, dimensions: Dimensions, budget = 16_384): Shapes {
  let young = new Map<Bundle, Shape>();
  let old = new Map<Bundle, Shape>();
  const vectorOfList = (list: readonly Resource[]): Vector => dimensions.vectorOf(table.intern(list).quantities);

  const analyse = (bundle: Bundle): Shape => {
    const list = bundle.resources;
    const hasShared = list.some(isShared);
    const isSpecial = hasShared || list.some((r) => isReserved(r) || isRevocable(r));
    const scalars = dimensions.vectorOf(bundle.quantities);
    let reserved: Map<string, Vector> | undefined;
    if (isSpecial) {
      for (const [role, resources] of reservationsByRole(list)) {
        reserved ??= new Map();
        reserved.set(role, vectorOfList(resources));
      }
    }
    return {
      bundle,
      scalars,
      countable: isSpecial ? vectorOfList(list.filter(isCountable)) : scalars,
      isUnrestricted: !isSpecial,
      hasShared,
      unshared: hasShared ? table.intern(nonShared(list)) : bundle,
      reserved,
      meetsMinimum: undefined,
      views: new Map(),
      lastCut: undefined,
    };
  };

  const of = (bundle: Bundle): Shape => {
    const known = young.get(bundle);
    if (known !== undefined) return known;
    const shape = old.get(bundle) ?? analyse(bundle);
    if (young.size >= budget) {
      old = young;
      young = new Map();
    }
    young.set(bundle, shape);
    return shape;
  };

  return {
    of,
    viewOf(shape, role, capabilities) {
      if (shape.isUnrestricted) return shape;
      const kinds = capabilities & KINDS;
      const roles = shape.reserved === undefined ? '' : role;
      const key = `${kinds} ${roles}`;
      const known = shape.views.get(key);
      if (known !== undefined) return known;
      const view = of(table.intern(shape.bundle.resources.filter((r) => mayBeOffered(r, role, kinds))));
      if (shape.views.size >= MAX_VIEWS) shape.views.clear();
      shape.views.set(key, view);
      return view;
    },
    cut(shape, allowed) {
      if (shape.lastCut !== undefined && !differs(shape.lastCut.allowed, allowed)) return shape.lastCut.shape;
      const limits = new Map(allowed.map((most, d) => [dimensions.names[d] as string, most]));
      const list = shape.bundle.resources;
      const kept = shrinkToLimits(list.filter(isCountable), (name) => limits.get(name));
      const result = of(table.intern([...list.filter((r) => !isCountable(r)), ...kept]));
      shape.lastCut = { allowed: allowed.slice(), shape: result };
      return result;
    },
    withoutShared(shape, other) {
      const hidden = table.intern(other.resources.filter(isShared));
      if (hidden.isEmpty) return shape;
      return of(table.subtract(shape.bundle, hidden));
    },
    clear() {
      young = new Map();
      old = new Map();
    },
  };
}

function mayBeOffered(resource: Resource, role: string, kinds: number): boolean {
  if (!isAllocatableTo(resource, role)) return false;
  if (!(kinds & CAN_SHARE) && isShared(resource)) return false;
  if (!(kinds & CAN_REVOKE) && isRevocable(resource)) return false;
  return (kinds & CAN_REFINE) !== 0 || !hasRefinedReservations(resource);
}
