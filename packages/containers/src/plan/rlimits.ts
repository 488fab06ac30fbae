// Resource limits of a container's first process: turns mesos.v1.RLimitInfo into limits of getrlimit(2).
import { err, ok, type ProcessLimit, type Result } from '@meseta/base';
import type { RLimitInfoRLimit, RLimitInfoRLimitType } from '@meseta/wire';
import type { LaunchLimits } from './plan.js';

interface Kind {
  /** Its number on x64 and arm64 (asm-generic/resource.h). */
  readonly resource: number;
  /** The name in /proc/self/limits. */
  readonly listed: string;
}

const kinds: Readonly<Record<Exclude<RLimitInfoRLimitType, 'UNKNOWN'>, Kind>> = {
  RLMT_AS: { resource: 9, listed: 'Max address space' },
  RLMT_CORE: { resource: 4, listed: 'Max core file size' },
  RLMT_CPU: { resource: 0, listed: 'Max cpu time' },
  RLMT_DATA: { resource: 2, listed: 'Max data size' },
  RLMT_FSIZE: { resource: 1, listed: 'Max file size' },
  RLMT_LOCKS: { resource: 10, listed: 'Max file locks' },
  RLMT_MEMLOCK: { resource: 8, listed: 'Max locked memory' },
  RLMT_MSGQUEUE: { resource: 12, listed: 'Max msgqueue size' },
  RLMT_NICE: { resource: 13, listed: 'Max nice priority' },
  RLMT_NOFILE: { resource: 7, listed: 'Max open files' },
  RLMT_NPROC: { resource: 6, listed: 'Max processes' },
  RLMT_RSS: { resource: 5, listed: 'Max resident set' },
  RLMT_RTPRIO: { resource: 14, listed: 'Max realtime priority' },
  RLMT_RTTIME: { resource: 15, listed: 'Max realtime timeout' },
  RLMT_SIGPENDING: { resource: 11, listed: 'Max pending signals' },
  RLMT_STACK: { resource: 3, listed: 'Max stack size' },
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

function limitOf({ type, soft, hard }: RLimitInfoRLimit, own: LaunchLimits): Result<ProcessLimit, string> {
  if (type === undefined || type === 'UNKNOWN') return err('rlimit_info: a limit without a known type');
  const { resource, listed } = kinds[type];
  if ((soft === undefined) !== (hard === undefined)) {
    return err(`rlimit_info: ${type}: expected both soft and hard, or neither for unlimited`);
  }
  const hardest = hard ?? Infinity;
  if ((soft ?? Infinity) > hardest)
    return err(`rlimit_info: ${type}: the soft limit ${soft} is above the hard one ${hard}`);
  const ownHard = own.current.get(listed)?.hard ?? Infinity;
  if (hardest > ownHard && !own.mayRaise) {
    return err(
      `rlimit_info: ${type}: ${formatLimit(hardest)} is above the agent's own hard limit ${formatLimit(ownHard)}, ` +
        'and raising it needs CAP_SYS_RESOURCE',
    );
  }
  return ok({ resource, soft, hard });
}

/** The limits, or why one can't be set. */
export function processLimits(
  wanted: readonly RLimitInfoRLimit[],
  own: LaunchLimits,
): Result<readonly ProcessLimit[], string> {
  const limits: ProcessLimit[] = [];
  for (const each of wanted) {
    const limit = limitOf(each, own);
    if (!limit.ok) return limit;
    limits.push(limit.value);
  }
  return ok(limits);
}
