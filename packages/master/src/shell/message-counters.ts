// The metrics `frameworks/<principal>/messages_received` and `messages_processed`: messages of registered drivers by the
// principal of their FrameworkInfo. The two differ by the messages that wait under a rate limit or exceeded its capacity.
//
// Owns: the counts of principals that a registered framework names.
// MESSAGE-COUNTERS-1: the counts of a principal are kept while a registered framework names it; others are deleted at each
//     read, and when twice as many principals are counted as were left by the deletion before.
import type { FrameworkId, Pid } from '@meseta/base';
import type { FrameworkInfo } from '@meseta/wire';

export interface MessageCounters {
  countReceived(from: Pid): void;
  /** Call it before the message is processed, since that may remove the framework; call the result after that. */
  beginProcessing(from: Pid): () => void;
  metrics(): ReadonlyMap<string, number>;
}

const MIN_PRUNED_PRINCIPALS = 100;

interface Counts {
  received: number;
  processed: number;
}

/** The part of the master's state that the counters read. */
export interface CountedFrameworks {
  readonly frameworks: ReadonlyMap<FrameworkId, { readonly info: Pick<FrameworkInfo, 'principal'> }>;
  readonly frameworkByPid: ReadonlyMap<Pid, FrameworkId>;
}

export function createMessageCounters({ frameworks, frameworkByPid }: CountedFrameworks): MessageCounters {
  const counts = new Map<string, Counts>();
  /** The number of principals at which those without a framework are removed: on average, a message costs no search. */
  let pruneAt = MIN_PRUNED_PRINCIPALS;
  const livePrincipals = (): ReadonlySet<string> => {
    const live = new Set<string>();
    for (const { info } of frameworks.values()) if (info.principal !== undefined) live.add(info.principal);
    return live;
  };
  const prune = (live: ReadonlySet<string>): void => {
    for (const principal of counts.keys()) if (!live.has(principal)) counts.delete(principal);
    pruneAt = Math.max(MIN_PRUNED_PRINCIPALS, 2 * counts.size);
  };
  const countsOf = (from: Pid): Counts | undefined => {
    const id = frameworkByPid.get(from);
    const principal = id === undefined ? undefined : frameworks.get(id)?.info.principal;
    if (principal === undefined) return undefined;
    const known = counts.get(principal);
    if (known !== undefined) return known;
    if (counts.size >= pruneAt) prune(livePrincipals());
    const added = { received: 0, processed: 0 };
    counts.set(principal, added);
    return added;
  };
  return {
    countReceived(from) {
      const known = countsOf(from);
      if (known !== undefined) known.received++;
    },
    beginProcessing(from) {
      const known = countsOf(from);
      return () => {
        if (known !== undefined) known.processed++;
      };
    },
    metrics() {
      const live = livePrincipals();
      prune(live);
      const metrics = new Map<string, number>();
      for (const principal of live) {
        const { received, processed } = counts.get(principal) ?? { received: 0, processed: 0 };
        metrics.set(`frameworks/${principal}/messages_received`, received);
        metrics.set(`frameworks/${principal}/messages_processed`, processed);
      }
      return metrics;
    },
  };
}
