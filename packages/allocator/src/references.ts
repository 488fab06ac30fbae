// Bundles as small numbers, so that typed tables can name them; counted, and a number is used again when nobody does.
import type { Bundle } from '@meseta/resources';

export interface BundleReferences {
  readonly bundles: (Bundle | undefined)[];
  readonly uses: number[];
  readonly byBundle: Map<Bundle, number>;
  readonly free: number[];
}

export const createReferences = (): BundleReferences => ({ bundles: [], uses: [], byBundle: new Map(), free: [] });

export function takeReference(references: BundleReferences, bundle: Bundle): number {
  const known = references.byBundle.get(bundle);
  if (known !== undefined) {
    references.uses[known] = (references.uses[known] as number) + 1;
    return known;
  }
  const reference = references.free.pop() ?? references.bundles.length;
  references.bundles[reference] = bundle;
  references.uses[reference] = 1;
  references.byBundle.set(bundle, reference);
  return reference;
}

/** Whether it was the last use. */
export function dropReference(references: BundleReferences, reference: number): boolean {
  const uses = (references.uses[reference] as number) - 1;
  references.uses[reference] = uses;
  if (uses > 0) return false;
  references.byBundle.delete(references.bundles[reference] as Bundle);
  references.bundles[reference] = undefined;
  references.free.push(reference);
  return true;
}
