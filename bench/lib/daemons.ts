// The daemons of a benchmark.
import { createDaemons, type Daemons } from '@meseta/cli/testing/daemons';

export function createBenchDaemons(): Daemons {
  const daemons = createDaemons(profilingOptions());
  return {
    ...daemons,
    // All agents of a benchmark are on this machine.
    master: (flags = [], port) => daemons.master(['--max_agents_per_address=1000000', ...flags], port),
  };
}

/** MESETA_BENCH_PROFILE=DIRECTORY writes a CPU profile of each daemon into the directory. */
function profilingOptions(): readonly string[] {
  const directory = process.env['MESETA_BENCH_PROFILE'];
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`];
}
