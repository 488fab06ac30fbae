// Media types of v1 endpoints: what a body is in and what the answer may be in, each decided by itself.
// As Mesos does it: `Content-Type` is compared as a whole, so a charset parameter makes it another type.
import { err, ok, type Result } from '@meseta/base';
import type { Codec } from '@meseta/wire/codec';
import { renderWireError } from '@meseta/wire/wire-error';
import { type Refusal, refusal } from './errors.js';

export type MediaType = 'application/json' | 'application/x-protobuf';

/** In the order of preference: JSON wins when both are acceptable. */
const mediaTypes: readonly MediaType[] = ['application/json', 'application/x-protobuf'];

/** Whether an `Accept` header (undefined: anything goes) allows the media type; the most exact entry decides. */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined) return true;
  const entries = header.split(',').map((entry) => entry.split(';').map((part) => part.trim().toLowerCase()));
  const [family] = mediaType.split('/');
  for (const candidate of [mediaType, `${family}/*`, '*/*']) {
    const entry = entries.find(([type]) => type === candidate);
    if (entry === undefined) continue;
    const weight = entry.find((part) => part.startsWith('q='));
    return weight === undefined || Number(weight.slice(2)) > 0;
  }
  return false;
}

/** The media type to answer in. */
export function answerType(accept: string | undefined): Result<MediaType, Refusal> {
  const chosen = mediaTypes.find((type) => accepts(accept, type));
  if (chosen !== undefined) return ok(chosen);
  return err(refusal('notAcceptable', `Header 'Accept': expected it to allow ${mediaTypes.join(' or ')}`));
}

/** A body as the message that its `Content-Type` says it is. */
export function decodeBody<T>(contentType: string | undefined, body: Uint8Array, codec: Codec<T>): Result<T, Refusal> {
  if (contentType === undefined) return err(refusal('badRequest', "Header 'Content-Type' is required but missing"));
  if (contentType !== 'application/json' && contentType !== 'application/x-protobuf') {
    const text = `Header 'Content-Type': expected ${mediaTypes.join(' or ')}, got ${JSON.stringify(contentType)}`;
    return err(refusal('unsupportedMediaType', text));
  }
  const message = contentType === 'application/json' ? parseText(body, codec) : codec.decode(body);
  return message.ok ? message : err(refusal('badRequest', renderWireError(message.error)));
}

const utf8 = new TextDecoder();
const parseText = <T>(body: Uint8Array, codec: Codec<T>) => codec.parse(utf8.decode(body));

/** A message in the media type that was chosen for it. */
export const encodeAs = <T>(mediaType: MediaType, codec: Codec<T>, message: T): Uint8Array | string =>
  mediaType === 'application/json' ? codec.write(message) : codec.encode(message);
