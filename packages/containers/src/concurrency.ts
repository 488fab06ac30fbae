// A limit on pieces of work that run at the same time, for work that holds a scarce resource such as descriptors.

/** Returns a function that starts work once fewer than `limit` pieces run, in the order of the calls. */
export function createConcurrencyLimit(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // The next piece of work starts in place of this one.
      const startNext = waiting.shift();
      if (startNext === undefined) running--;
      else startNext();
    }
  };
}
