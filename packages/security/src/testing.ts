/** The error of a result, or 'taken' if it has none; for tables of tests. */
export const errorOf = (result: { readonly ok: boolean; readonly error?: unknown }): unknown =>
  result.ok ? 'taken' : result.error;
