// Finds what this machine offers to launches.
import type { Files, Processes } from '@meseta/base';
import type { HostFacts } from './isolators/isolator.js';
import type { LaunchLimits } from './plan/plan.js';
import { parseLimits } from './plan/rlimits.js';

const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const CAP_SYS_RESOURCE = 24;
const TOOL_TIMEOUT_MS = 10_000;

async function findTool(files: Files, name: string): Promise<string | undefined> {
  for (const directory of TOOL_DIRECTORIES) {
    const real = await files.realPath(`${directory}/${name}`);
    if (real.ok) return `${directory}/${name}`;
  }
  return undefined;
}

export async function findHostFacts(files: Files, processes: Processes): Promise<HostFacts> {
  return { setpriv: await findSetpriv(files, processes), limits: readLimits(files) };
}

/** The setpriv of util-linux, which can change user and groups; busybox's can't. */
async function findSetpriv(files: Files, processes: Processes): Promise<string | undefined> {
  if (processes.self.uid !== 0) return undefined;
  const setpriv = await findTool(files, 'setpriv');
  if (setpriv === undefined) return undefined;
  const options = ['--reuid=0', '--regid=0', '--init-groups', '--', '/bin/sh', '-c', ':'];
  const run = await processes.run({ program: setpriv, arguments: options }, { timeoutMs: TOOL_TIMEOUT_MS });
  return run.ok && run.value.end.kind === 'exited' && run.value.end.code === 0 ? setpriv : undefined;
}

function readLimits(files: Files): LaunchLimits {
  const status = files.readTextNow('/proc/self/status') ?? '';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return {
    current: parseLimits(files.readTextNow('/proc/self/limits') ?? ''),
    mayRaise: ((effective >> BigInt(CAP_SYS_RESOURCE)) & 1n) === 1n,
  };
}
