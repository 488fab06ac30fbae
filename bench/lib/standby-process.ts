// A master as `meseta master` runs it, with or without the rehearsal of a standby (MESETA_BENCH_REHEARSES=1).
import { masterMain } from '@meseta/master/shell/main';

// The first argument is the kind of the daemon.
process.exitCode = await masterMain(process.argv.slice(3), process.env, {
  rehearses: process.env['MESETA_BENCH_REHEARSES'] === '1',
});
