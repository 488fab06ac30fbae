/** An end of a cut or a break: `agent 3`, `master 0`, `framework 1`, or the election service. */
export type Place =
  | { readonly kind: 'agent' | 'master' | 'framework'; readonly index: number }
  | { readonly kind: 'election' };
