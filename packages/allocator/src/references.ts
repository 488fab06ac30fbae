// Reference-counted numbers for bundles, so that typed arrays can refer to bundles. A number without users is reused.
import type { Bundle } from '@meseta/resources';

export interface BundleReferences {
  readonly bundles: (Bundle | undefined)[];
  readonly uses: number[];
  readonly byBundle: Map<Bundle, number>;
  readonly freeReferences: number[];
}

export const createReferences = (): BundleReferences => ({
  bundles: [],
  uses: [],
  byBundle: new Map(),
  freeReferences: [],
});

export function addReference(references: BundleReferences, bundle: Bundle): number {
  const known = references.byBundle.get(bundle);
  if (known !== undefined) {
    references.uses[known] = (references.uses[known] as number) + 1;
    return known;
  }
  const reference = references.freeReferences.pop() ?? references.bundles.length;
  references.bundles[reference] = bundle;
  references.uses[reference] = 1;
  references.byBundle.set(bundle, reference);
  return reference;
}

/** Returns whether this was the last use. */
export function releaseReference(references: BundleReferences, reference: number): boolean {
  const uses = (references.uses[reference] as number) - 1;
  references.uses[reference] = uses;
  if (uses > 0) return false;
  references.byBundle.delete(references.bundles[reference] as Bundle);
  references.bundles[reference] = undefined;
  references.freeReferences.push(reference);
  return true;
}
