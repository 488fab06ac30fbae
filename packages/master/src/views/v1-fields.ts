// Fields of v1 messages.
import { merge, toEndpointFormat } from '@meseta/resources';
import type { Resource, TimeInfo } from '@meseta/wire';
import { type Approver, seesResource } from './approver.js';

export const timeOf = (ms: number): TimeInfo => ({ nanoseconds: BigInt(Math.round(ms * 1000)) * 1000n });

/** `{ name: list }` with the items that may be seen; no field if there are none. */
export function listed<Name extends string>(name: Name, list: readonly Resource[], approver: Approver) {
  const seen = list.filter((resource) => seesResource(approver, resource));
  return (seen.length === 0 ? {} : { [name]: toEndpointFormat(merge(seen)) }) as {
    readonly [N in Name]?: readonly Resource[];
  };
}

export const timed = <Name extends string>(name: Name, ms: number | undefined) =>
  (ms === undefined ? {} : { [name]: timeOf(ms) }) as { readonly [N in Name]?: TimeInfo };
