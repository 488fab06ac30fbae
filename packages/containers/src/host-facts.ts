// Finds what this machine offers to launches: tools and resource limits.
import { err, type Files, ok, type Processes, type Result } from '@meseta/base';
import type { HostFacts } from './isolators/isolator.js';
import type { LaunchLimits, LaunchTools } from './plan/plan.js';
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

/** What launches can use on this machine, or which required tool is missing. */
export async function findHostFacts(files: Files, processes: Processes): Promise<Result<HostFacts, string>> {
  const tools = await findTools(files, processes);
  return tools.ok ? ok({ tools: tools.value, limits: readLimits(files) }) : tools;
}

async function findTools(files: Files, processes: Processes): Promise<Result<LaunchTools, string>> {
  const [shell, setsid, env, setpriv, su, prlimit, bash, perl] = await Promise.all(
    ['sh', 'setsid', 'env', 'setpriv', 'su', 'prlimit', 'bash', 'perl'].map((name) => findTool(files, name)),
  );
  if (shell === undefined || env === undefined) return missing({ sh: shell, env });
  const succeeds = async (program: string, ...args: string[]): Promise<boolean> => {
    const run = await processes.run({ program, arguments: args }, { timeoutMs: TOOL_TIMEOUT_MS });
    return run.ok && run.value.end.kind === 'exited' && run.value.end.code === 0;
  };
  const isRoot = processes.self.uid === 0;
  const [envResetsSignals, setprivSwitches, perlSupervises] = await Promise.all([
    succeeds(env, '--default-signal=INT,QUIT', '--', shell, '-c', ':'),
    isRoot && setpriv !== undefined
      ? succeeds(setpriv, '--reuid=0', '--regid=0', '--init-groups', '--', shell, '-c', ':')
      : false,
    // Some distributions keep the module in a package of its own.
    perl !== undefined && succeeds(perl, '-MPOSIX=setsid', '-e', '1'),
  ]);
  if (!perlSupervises && setsid === undefined) return missing({ 'setsid or perl': setsid });
  const chosen = { setpriv: setprivSwitches ? setpriv : undefined, perlSupervises };
  return ok({ shell, setsid, env, envResetsSignals, su, prlimit, bash, perl, ...chosen });
}

function missing(tools: Readonly<Record<string, string | undefined>>): Result<never, string> {
  const names = Object.keys(tools).filter((name) => tools[name] === undefined);
  return err(`containers need ${names.join(', ')} on this machine`);
}

function readLimits(files: Files): LaunchLimits {
  const status = files.readTextNow('/proc/self/status') ?? '';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return {
    current: parseLimits(files.readTextNow('/proc/self/limits') ?? ''),
    mayRaise: ((effective >> BigInt(CAP_SYS_RESOURCE)) & 1n) === 1n,
  };
}
