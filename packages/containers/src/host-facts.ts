// Finds what this machine offers to launches.
import type { Files, Processes } from '@meseta/base';
import type { HostFacts } from './isolators/isolator.js';
import { parseLimits } from './plan/rlimits.js';

const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const CAP_SYS_RESOURCE = 24;
const CAPABILITY_BITS = 64;
const TOOL_TIMEOUT_MS = 10_000;

async function findTool(files: Files, name: string): Promise<string | undefined> {
  for (const directory of TOOL_DIRECTORIES) {
    const real = await files.realPath(`${directory}/${name}`);
    if (real.ok) return `${directory}/${name}`;
  }
  return undefined;
}

/** The facts that do not depend on the launcher. */
export async function findHostFacts(files: Files, processes: Processes): Promise<Omit<HostFacts, 'linux'>> {
  const capabilities = readCapabilities(files, 'CapEff');
  return {
    setpriv: await findSetpriv(files, processes),
    limits: {
      current: parseLimits(files.readTextNow('/proc/self/limits') ?? ''),
      mayRaise: capabilities.includes(CAP_SYS_RESOURCE),
    },
    capabilities,
    bounding: readCapabilities(files, 'CapBnd'),
  };
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

/** The effective capabilities of this process, or its bounding set. */
function readCapabilities(files: Files, set: 'CapEff' | 'CapBnd'): readonly number[] {
  const status = files.readTextNow('/proc/self/status') ?? '';
  const line = status.split('\n').find((it) => it.startsWith(`${set}:`));
  const mask = BigInt(`0x${line?.slice(set.length + 1).trim() ?? '0'}`);
  return Array.from({ length: CAPABILITY_BITS }, (_, bit) => bit).filter((bit) => (mask >> BigInt(bit)) & 1n);
}

/** The memory of the machine; undefined: the kernel does not tell it. */
export function readTotalMemoryBytes(files: Pick<Files, 'readTextNow'>): number | undefined {
  const kib = /^MemTotal:\s+(\d+) kB/m.exec(files.readTextNow('/proc/meminfo') ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
