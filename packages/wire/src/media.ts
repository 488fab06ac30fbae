// The media types of the v1 APIs, and how Mesos reads the headers that name them.
// A body's type and the answer's type are independent of each other.

export const JSON_TYPE = 'application/json';
export const PROTOBUF_TYPE = 'application/x-protobuf';
/** A stream of records whose own type `Message-Content-Type` and `Message-Accept` give. */
export const RECORDIO_TYPE = 'application/recordio';

export type MediaType = typeof JSON_TYPE | typeof PROTOBUF_TYPE;

export const MEDIA_TYPES: readonly MediaType[] = [JSON_TYPE, PROTOBUF_TYPE];

/** The type of a body. The header is compared as a whole: other letters or a parameter make it unknown. */
export function bodyType(contentType: string): MediaType | undefined {
  return MEDIA_TYPES.find((type) => type === contentType);
}

/** What to answer with: JSON where it is acceptable. Undefined: neither is, the answer is 406. */
export function acceptedType(accept: string | undefined): MediaType | undefined {
  return MEDIA_TYPES.find((type) => accepts(accept, type));
}

/**
 * Whether an Accept header allows the type. No header allows all. The closest of `type/subtype`,
 * `type/*` and `*`/`*` decides, by the first element that names it: `q` above 0, or no `q`.
 */
export function accepts(accept: string | undefined, type: string): boolean {
  if (accept === undefined) return true;
  const elements = accept
    .replace(/[ \t\n]/g, '')
    .toLowerCase()
    .split(',')
    .map((element) => element.split(';').filter((part) => part !== ''));
  for (const candidate of [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*']) {
    const element = elements.find((parts) => parts[0] === candidate);
    if (element !== undefined) return isAllowed(element.slice(1));
  }
  return false;
}

function isAllowed(parameters: readonly string[]): boolean {
  const weights = parameters.filter((parameter) => parameter.startsWith('q=')).map((parameter) => parameter.slice(2));
  const [weight] = weights;
  return weights.length !== 1 || weight === '' || Number(weight) > 0;
}
