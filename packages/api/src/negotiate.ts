// The message in the body of a v1 request, and the media type of the response; the two are independent.
import { err, ok, overLimit, quoted, type Result } from '@meseta/base';
import { type Codec, renderWireError } from '@meseta/wire';
import { acceptedType, bodyType, JSON_TYPE, MEDIA_TYPES, type MediaType } from '@meseta/wire/media';
import { type Refusal, refusal } from './errors.js';

/** The media type of the response. */
export function responseType(accept: string | undefined): Result<MediaType, Refusal> {
  const chosen = acceptedType(accept);
  if (chosen !== undefined) return ok(chosen);
  return err(refusal('notAcceptable', `Header 'Accept': expected it to allow ${MEDIA_TYPES.join(' or ')}`));
}

const utf8 = new TextDecoder();

/** The text of a body, unless the body is above the limit. */
export function bodyText(body: Uint8Array): Result<string, Refusal> {
  const tooLong = overLimit('jsonText', "The request's body", body.length);
  return tooLong === undefined ? ok(utf8.decode(body)) : err(refusal('tooLarge', tooLong));
}

/** Decodes a body by its `Content-Type`. */
export function decodeBody<T>(contentType: string | undefined, body: Uint8Array, codec: Codec<T>): Result<T, Refusal> {
  if (contentType === undefined) return err(refusal('badRequest', "Header 'Content-Type' is required but missing"));
  const type = bodyType(contentType);
  if (type === undefined) {
    const text = `Header 'Content-Type': expected ${MEDIA_TYPES.join(' or ')}, got ${quoted(contentType)}`;
    return err(refusal('unsupportedMediaType', text));
  }
  const text = type === JSON_TYPE ? bodyText(body) : undefined;
  if (text?.ok === false) return text;
  const message = text === undefined ? codec.decode(body) : codec.parse(text.value);
  return message.ok ? message : err(refusal('badRequest', renderWireError(message.error)));
}

/** Encodes a message in a media type. */
export const encodeAs = <T>(mediaType: MediaType, codec: Codec<T>, message: T): Uint8Array | string =>
  mediaType === JSON_TYPE ? codec.write(message) : codec.encode(message);
