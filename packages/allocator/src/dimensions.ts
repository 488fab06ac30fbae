// Dimensions: resource names as the indices of vectors.
//
// Owns: the index of each name. Boundary: vectors belong to the allocator's state, which says which indices it uses.
// DIMENSIONS-1: a name keeps its index while an agent's total, an allocation, a quota or the names excluded from
//     fair sharing use it.
// DIMENSIONS-2: after an agent's total changed, there are at most 64 dimensions more than twice the names that were in
//     use when dimensions were last freed. So agents that report new names again and again don't fill the memory.
import type { Quantities } from '@meseta/resources';
import type { State } from './state.js';
import type { Vector } from './vectors.js';

export interface Dimensions {
  /** By index; undefined: the index is free. */
  readonly names: readonly (string | undefined)[];
  /** How many names have an index. */
  readonly count: number;
  indexOf(name: string): number;
  vectorOf(quantities: Quantities): Vector;
  /** Without zeros and infinities. */
  quantitiesOf(vector: readonly number[]): Quantities;
  /** Frees the indices of all other names; new names get the lowest free indices. */
  keepOnly(namesInUse: ReadonlySet<string>): void;
}

export function createDimensions(): Dimensions {
  const names: (string | undefined)[] = [];
  const byName = new Map<string, number>();
  /** Free indices below `names.length`, the lowest last. */
  let freed: number[] = [];
  const indexOf = (name: string): number => {
    const known = byName.get(name);
    if (known !== undefined) return known;
    const index = freed.pop() ?? names.length;
    names[index] = name;
    byName.set(name, index);
    return index;
  };
  return {
    names,
    get count() {
      return byName.size;
    },
    indexOf,
    vectorOf(quantities) {
      const vector: Vector = [];
      for (let i = 0; i < quantities.names.length; i++) {
        const index = indexOf(quantities.names[i] as string);
        while (vector.length <= index) vector.push(0);
        vector[index] = quantities.amounts[i] as number;
      }
      return vector;
    },
    quantitiesOf(vector) {
      const pairs: [string, number][] = [];
      for (let d = 0; d < vector.length; d++) {
        const value = vector[d] as number;
        if (Number.isFinite(value) && value > 0) pairs.push([names[d] as string, value]);
      }
      pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1));
      return Object.freeze({
        names: Object.freeze(pairs.map(([name]) => name)),
        amounts: Object.freeze(pairs.map(([, value]) => value)),
      });
    },
    keepOnly(namesInUse) {
      for (const [name, index] of byName) {
        if (namesInUse.has(name)) continue;
        byName.delete(name);
        names[index] = undefined;
      }
      while (names.length > 0 && names.at(-1) === undefined) names.pop();
      freed = [...names.keys()].filter((index) => names[index] === undefined).reverse();
    },
  };
}

/** So few dimensions are never worth freeing. */
const MIN_DIMENSIONS = 64;

/** Keeps DIMENSIONS-2; called after the total of an agent changed. */
export function freeUnusedDimensions(state: State): void {
  const { dimensions } = state;
  if (dimensions.count <= state.dimensionsInUse * 2 + MIN_DIMENSIONS) return;
  dimensions.keepOnly(namesInUse(state));
  state.dimensionsInUse = dimensions.count;
  // Cached shapes may have amounts at indices that get other names; those of agents' free resources have none.
  state.shapes.clear();
  for (const vector of vectorsOf(state)) clearFreed(vector, dimensions.names);
}

function namesInUse({ agents, quotaRoles, cluster, dimensions }: State): ReadonlySet<string> {
  const names = new Set([...cluster.excluded].map((index) => dimensions.names[index] as string));
  const use = (quantities: { readonly names: readonly string[] }): void => {
    for (const name of quantities.names) names.add(name);
  };
  for (const { total, allocations } of agents.values()) {
    use(total.quantities);
    for (const { offeredOrAllocated } of allocations.values()) use(offeredOrAllocated.quantities);
  }
  for (const { quota } of quotaRoles) {
    if (quota === undefined) continue;
    use(quota.guarantees);
    use(quota.limits);
  }
  return names;
}

/** Every vector that lives longer than an input. */
function* vectorsOf(state: State): Iterable<Vector> {
  yield* [state.cluster.total, state.allocation, state.available, state.required, state.lastSurplus];
  const pending = [...state.roles.topLevel];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { consumedOrOffered, consumed, subtree, own, lastRoom, lastUnmet } = node.value;
    yield* [consumedOrOffered, consumed, subtree.allocation, own.allocation, lastRoom, lastUnmet];
    for (const client of node.value.members) yield client.entry.allocation;
    for (const child of node.children) pending.push(child);
  }
}

/** What the last run remembered of a freed index is forgotten; a vector ends with its last index in use. */
function clearFreed(vector: Vector, names: readonly (string | undefined)[]): void {
  if (vector.length > names.length) vector.length = names.length;
  for (let d = 0; d < vector.length; d++) if (names[d] === undefined) vector[d] = 0;
}
