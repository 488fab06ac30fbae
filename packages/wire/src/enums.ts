import { assert } from '@meseta/base';

/** The number of an enum value by its name. */
export function enumNumber<T extends string>(numbers: ReadonlyMap<T, number>, name: T): number {
  const number = numbers.get(name);
  assert(number !== undefined, `no enum value ${name}`);
  return number;
}
