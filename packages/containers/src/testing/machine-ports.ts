// The ports and options of a containerizer that every test and benchmark on this machine shares.
import { realClock } from '@meseta/platform';
import { createFiles } from '@meseta/platform/files';
import { connectLines } from '@meseta/platform/line-connections';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';

/** The real ports of this machine, and none of the optional parts. */
export const machinePorts = () => ({
  clock: realClock,
  images: undefined,
  seccomp: undefined,
  gpus: undefined,
  rotation: undefined,
  files: createFiles(),
  processes: createProcesses(),
  outbound: createOutbound(),
  connectLines,
});

/** A fetcher without a cache. */
export const fetcherIn = (root: string) => ({
  cacheDir: `${root}/cache`,
  cacheBytes: 0,
  frameworksHome: undefined,
  stallTimeoutMs: 1000,
  maxUriBytes: 1e9,
  maxTaskBytes: 1e9,
});
