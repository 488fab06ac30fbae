// The media types of the v1 APIs, and how Mesos reads the headers that name them. The type of the request body and of the
// response are independent.

export const JSON_TYPE = 'application/json';
export const PROTOBUF_TYPE = 'application/x-protobuf';
/** A stream of records; `Message-Content-Type` and `Message-Accept` give the type of a record. */
export const RECORDIO_TYPE = 'application/recordio';

export type MediaType = typeof JSON_TYPE | typeof PROTOBUF_TYPE;

export const MEDIA_TYPES: readonly MediaType[] = [JSON_TYPE, PROTOBUF_TYPE];

/** The type of a body. The header must match exactly: another case or a parameter make the type unknown. */
export function bodyType(contentType: string): MediaType | undefined {
  return MEDIA_TYPES.find((type) => type === contentType);
}

/** The type of the response: JSON if it is acceptable. Undefined if no type is, and the response is 406. */
export function acceptedType(accept: string | undefined): MediaType | undefined {
  return MEDIA_TYPES.find((type) => accepts(accept, type));
}

/**
 * Whether an Accept header allows the type. Without the header all types are allowed. The most specific of `type/subtype`,
 * `type/*` and `*`/`*` decides, by its first element: `q` above 0, or no `q`.
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
