// Waiting for a condition in tests and benchmarks, where no event tells that it holds.
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves once `isMet` returns true; rejects after `timeoutMs`, naming the condition. */
export async function until(
  condition: string | (() => string),
  isMet: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; !(await isMet()); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (performance.now() > deadlineMs) {
      throw new Error(`not met in ${timeoutMs} ms: ${typeof condition === 'string' ? condition : condition()}`);
    }
    await pause(pauseMs);
  }
}
