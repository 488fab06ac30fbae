// The source that mutation.test.ts mutates: a rule that counting.test.ts tests, one that it only reaches, one that it does not, and
// one whose mutant ends the process.
export function sumTo(last: number): number {
  let sum = 0;
  for (let i = 1; i <= last; i++) sum += i;
  return sum;
}

export const isLarge = (value: number): boolean => value > 1000;

export const isNegative = (value: number): boolean => value < 0;

export function faultUnless(isMapped: boolean): void {
  if (!isMapped) process.kill(process.pid, 'SIGBUS');
}
