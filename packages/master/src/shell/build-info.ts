// What this build says of itself. The version is that of the Mesos interfaces that it keeps to: clients compare it.

/** Filled in by scripts/build.mjs; a test's bundle has none. */
declare const MESETA_BUILD: { readonly date: string; readonly timeSeconds: number; readonly user: string } | undefined;

const built = typeof MESETA_BUILD === 'undefined' ? { date: '', timeSeconds: 0, user: '' } : MESETA_BUILD;

export const buildInfo = {
  version: '1.12.0',
  build_date: built.date,
  build_time: built.timeSeconds,
  build_user: built.user,
};
