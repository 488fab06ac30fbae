// The term of a process that an election over a network has made the leader.
import type { Term } from './types.js';

export interface OwnTerm {
  readonly term: Term;
  /** Ends the term; a term ends once. The reason is for the log. */
  end(reason: string): void;
}

export interface TermOptions {
  readonly epoch: number;
  /** Of the session or lease that the term depends on. */
  validUntilMonoMs(): number;
  /** Removes the contender from the election, so that another one can lead. */
  withdraw(): Promise<void>;
}

/** TERM-2, TERM-3 */
export function createTerm({ epoch, validUntilMonoMs, withdraw }: TermOptions): OwnTerm {
  let isOver = false;
  let resolveLost: (reason: string) => void = () => {};
  const lost = new Promise<string>((resolve) => {
    resolveLost = resolve;
  });
  const end = (reason: string): void => {
    isOver = true;
    resolveLost(reason);
  };
  const term: Term = {
    epoch,
    lost,
    validUntilMonoMs: () => (isOver ? Number.NEGATIVE_INFINITY : validUntilMonoMs()),
    async resign() {
      if (isOver) return;
      // Before the request, so that this process writes nothing once another one can lead.
      isOver = true;
      await withdraw();
      end('resigned');
    },
  };
  return { term, end };
}
