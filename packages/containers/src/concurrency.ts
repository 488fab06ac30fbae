// Work of which no more than a few pieces are under way at a time, as each holds something that is scarce.

/** Answers what begins a piece of work once fewer than `most` are under way, in the order of the calls. */
export function createAtMost(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  return async (work) => {
    if (underWay >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay++;
    try {
      return await work();
    } finally {
      // Who waits takes over the place.
      const next = waiting.shift();
      if (next === undefined) underWay--;
      else next();
    }
  };
}
