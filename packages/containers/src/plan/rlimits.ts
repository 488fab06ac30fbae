// Resource limits of a container's first process: turns mesos.v1.RLimitInfo into options of prlimit. Without prlimit, into
// the shell's `ulimit`, which has fewer limits and coarser units.
import { err, ok, type Result } from '@meseta/base';
import type { RLimitInfoRLimit, RLimitInfoRLimitType } from '@meseta/wire';
import type { LaunchLimits, LaunchTools } from './plan.js';

interface Kind {
  /** prlimit's option. */
  readonly option: string;
  /** The name in /proc/self/limits. */
  readonly listed: string;
  /** The flag of the shell's ulimit, and how many bytes (or pieces) one of its units is. */
  readonly ulimit?: readonly [flag: string, unit: number];
}

const kinds: Readonly<Record<Exclude<RLimitInfoRLimitType, 'UNKNOWN'>, Kind>> = {
  RLMT_AS: { option: 'as', listed: 'Max address space', ulimit: ['v', 1024] },
  RLMT_CORE: { option: 'core', listed: 'Max core file size', ulimit: ['c', 512] },
  RLMT_CPU: { option: 'cpu', listed: 'Max cpu time', ulimit: ['t', 1] },
  RLMT_DATA: { option: 'data', listed: 'Max data size', ulimit: ['d', 1024] },
  RLMT_FSIZE: { option: 'fsize', listed: 'Max file size', ulimit: ['f', 512] },
  RLMT_LOCKS: { option: 'locks', listed: 'Max file locks', ulimit: ['w', 1] },
  RLMT_MEMLOCK: { option: 'memlock', listed: 'Max locked memory', ulimit: ['l', 1024] },
  RLMT_MSGQUEUE: { option: 'msgqueue', listed: 'Max msgqueue size' },
  RLMT_NICE: { option: 'nice', listed: 'Max nice priority' },
  RLMT_NOFILE: { option: 'nofile', listed: 'Max open files', ulimit: ['n', 1] },
  RLMT_NPROC: { option: 'nproc', listed: 'Max processes', ulimit: ['p', 1] },
  RLMT_RSS: { option: 'rss', listed: 'Max resident set', ulimit: ['m', 1024] },
  RLMT_RTPRIO: { option: 'rtprio', listed: 'Max realtime priority', ulimit: ['r', 1] },
  RLMT_RTTIME: { option: 'rttime', listed: 'Max realtime timeout' },
  RLMT_SIGPENDING: { option: 'sigpending', listed: 'Max pending signals' },
  RLMT_STACK: { option: 'stack', listed: 'Max stack size', ulimit: ['s', 1024] },
};

/** Parses a file /proc/PID/limits: the limits by their names in it. */
export function parseLimits(text: string): ReadonlyMap<string, { readonly soft: number; readonly hard: number }> {
  const limits = new Map<string, { soft: number; hard: number }>();
  const value = (word: string): number => (word === 'unlimited' ? Infinity : Number(word));
  for (const line of text.split('\n')) {
    const found = /^(Max .*?)\s{2,}(\d+|unlimited)\s+(\d+|unlimited)/.exec(line);
    if (found) limits.set(found[1] as string, { soft: value(found[2] as string), hard: value(found[3] as string) });
  }
  return limits;
}

const formatLimit = (value: number): string => (value === Infinity ? 'unlimited' : String(value));

function checkLimit(
  rlimit: RLimitInfoRLimit,
  limits: LaunchLimits,
): Result<{ kind: Kind; soft: number; hard: number }, string> {
  const type = rlimit.type;
  if (type === undefined || type === 'UNKNOWN') return err('rlimit_info: a limit without a known type');
  const kind = kinds[type];
  if ((rlimit.soft === undefined) !== (rlimit.hard === undefined)) {
    return err(`rlimit_info: ${type}: expected both soft and hard, or neither for unlimited`);
  }
  const soft = rlimit.soft ?? Infinity;
  const hard = rlimit.hard ?? Infinity;
  if (soft > hard)
    return err(`rlimit_info: ${type}: the soft limit ${formatLimit(soft)} is above the hard one ${formatLimit(hard)}`);
  const own = limits.current.get(kind.listed);
  if (own !== undefined && hard > own.hard && !limits.mayRaise) {
    return err(
      `rlimit_info: ${type}: ${formatLimit(hard)} is above the agent's own hard limit ${formatLimit(own.hard)}, ` +
        'and raising it needs CAP_SYS_RESOURCE',
    );
  }
  return ok({ kind, soft, hard });
}

const needsPrlimit = (type: string): Result<never, string> =>
  err(`rlimit_info: ${type}: needs prlimit, which this machine doesn't have`);

function ulimitLine(type: string, kind: Kind, soft: number, hard: number): Result<string, string> {
  if (kind.ulimit === undefined) return needsPrlimit(type);
  const [flag, unit] = kind.ulimit;
  const count = (value: number): string => (value === Infinity ? 'unlimited' : String(Math.floor(value / unit)));
  const setSoft = `ulimit -S -${flag} ${count(soft)}`;
  const setHard = `ulimit -H -${flag} ${count(hard)}`;
  // Raising and lowering need different orders: the first attempt may fail, the last must not.
  return ok(`${setHard} 2>/dev/null; ${setSoft} && ${setHard} || exit 126`);
}

/** Whether this machine can set limits at all: with prlimit, or with the shell's ulimit where the shell is the supervisor. */
export const findRlimitTool = ({ prlimit, perlSupervises }: LaunchTools): Result<void, string> =>
  prlimit !== undefined || !perlSupervises ? ok(undefined) : err("needs prlimit, which this machine doesn't have");

/** The words before a command that set its limits, or why one can't be set. */
export function rlimitArgv(
  wanted: readonly RLimitInfoRLimit[],
  limits: LaunchLimits,
  { prlimit, shell, perlSupervises }: Pick<LaunchTools, 'prlimit' | 'shell' | 'perlSupervises'>,
): Result<readonly string[], string> {
  const options: string[] = [];
  const lines: string[] = [];
  for (const rlimit of wanted) {
    const checked = checkLimit(rlimit, limits);
    if (!checked.ok) return checked;
    const { kind, soft, hard } = checked.value;
    if (prlimit !== undefined) {
      options.push(`--${kind.option}=${formatLimit(soft)}:${formatLimit(hard)}`);
      continue;
    }
    const type = rlimit.type ?? 'UNKNOWN';
    // perl can't set limits, and a shell would need the environment among its arguments (PLAN-4).
    const line = perlSupervises ? needsPrlimit(type) : ulimitLine(type, kind, soft, hard);
    if (!line.ok) return line;
    lines.push(line.value);
  }
  if (wanted.length === 0) return ok([]);
  if (prlimit !== undefined) return ok([prlimit, ...options, '--']);
  return ok([shell, '-c', [...lines, 'exec "$@"'].join('\n'), 'sh']);
}
