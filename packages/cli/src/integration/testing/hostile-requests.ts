// Requests from calls: every field below a call's parts with every hostile value, as JSON and as protobuf.
import { encodePlain, hostileBytes } from '@meseta/wire/testing/hostile-bytes';
import { hostileValues, writeJson } from '@meseta/wire/testing/hostile-values';
import type { Place, SchemaPlaces } from '@meseta/wire/testing/schema-places';
import type { HostileCall } from './hostile-calls.js';
import type { RawRequest } from './pipeline.js';

export interface HostileRequest extends RawRequest {
  /** For people: the call, the place, the media type. */
  readonly what: string;
  /** The field that a refusal has to name: its value is of a kind that it never takes. */
  readonly names?: string | undefined;
}

const isWithin = (place: string, field: string): boolean => place === field || place.startsWith(`${field}.`);
const isAbove = (place: string, field: string): boolean => field.startsWith(`${place}.`);

/** The places of a call that get hostile values, and whether only values of a wrong type. */
function* placesOf(call: HostileCall, all: readonly Place[]): Generator<[Place, boolean]> {
  for (const place of all) {
    // Another type is another call.
    if (place.text === 'type' || !call.mutatedFields.some((part) => isWithin(place.text, part))) continue;
    // A list of many is invalid by its last element, and the first one gets the values.
    const invalid = call.invalidFields.find((name) => isWithin(place.text, name));
    const field = place.steps.at(-1);
    const elsewhere = invalid !== undefined && isListOfMany(call, invalid) && place.text !== invalid;
    if (invalid !== undefined && !elsewhere) {
      if (field !== undefined) yield [place, true];
      continue;
    }
    yield [place, call.invalidFields.some((name) => isAbove(place.text, name))];
  }
}

function isListOfMany({ call }: HostileCall, path: string): boolean {
  let at: unknown = call;
  for (const name of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[name];
  return Array.isArray(at) && at.length > 1;
}

/** The call with each hostile value in each of its places. */
export function* requestsOf(places: SchemaPlaces, call: HostileCall, all: readonly Place[]): Generator<HostileRequest> {
  const common = { method: 'POST', target: call.target };
  const { oneIn = 1 } = call;
  let turn = 0;
  for (const [place, onlyMistyped] of placesOf(call, all)) {
    const field = place.steps.at(-1);
    if (field === undefined) continue;
    turn++;
    let at = 0;
    const isTaken = (): boolean => (turn + at++) % oneIn === 0;
    for (const { value, mistyped } of hostileValues(places, field)) {
      if (!isTaken() || (onlyMistyped && !mistyped)) continue;
      yield {
        ...common,
        what: `${call.name} ${place.text} (JSON)`,
        headers: { ...call.headers, 'Content-Type': 'application/json', Accept: 'application/json' },
        body: writeJson(places.put(call.call, place, value)),
        names: mistyped ? field.name : undefined,
      };
    }
    if (onlyMistyped) continue;
    for (const bytes of hostileBytes(place)) {
      if (!isTaken()) continue;
      yield {
        ...common,
        what: `${call.name} ${place.text} (protobuf)`,
        headers: { ...call.headers, 'Content-Type': 'application/x-protobuf', Accept: 'application/x-protobuf' },
        body: encodePlain(places, call.message, call.call, { steps: place.steps, bytes }),
      };
    }
  }
}

/** Types that are none, in both media types. */
export function* typesOf(call: HostileCall): Generator<HostileRequest> {
  for (const type of ['NO_SUCH_CALL', '', 'UNKNOWN', 'toString', '__proto__', 7, null, {}, []]) {
    yield {
      method: 'POST',
      target: call.target,
      what: `${call.name} type`,
      headers: { ...call.headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...call.call, type }),
    };
  }
}
