/** One end of the connections that a fault cuts or breaks. `index`: in the plan. */
export type Place =
  | { readonly kind: 'agent' | 'master' | 'framework'; readonly index: number }
  | { readonly kind: 'election' };
