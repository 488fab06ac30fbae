// The media types of requests and responses that may be streams of records (Mesos: docs/operator-http-api.md, "Streaming").
import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { acceptedType, accepts, bodyType, MEDIA_TYPES, type MediaType, RECORDIO_TYPE } from '@meseta/wire/media';

const expected = MEDIA_TYPES.join(' or ');

/** The response of a call that is answered with a stream: its headers, and the type of its records. */
export interface StreamMedia {
  readonly headers: Readonly<Record<string, string>>;
  readonly record: MediaType;
}

/** Without `application/recordio`, which comes last as in Mesos, the response has the type of its records. */
export function streamMedia(headers: IncomingHttpHeaders): Result<StreamMedia, Refusal> {
  const plain = acceptedType(headers.accept);
  if (plain !== undefined) return ok({ headers: { 'Content-Type': plain }, record: plain });
  if (!accepts(headers.accept, RECORDIO_TYPE)) {
    return err(refusal('notAcceptable', `Header 'Accept': expected it to allow ${expected} or ${RECORDIO_TYPE}`));
  }
  const record = acceptedType(headerOf(headers, 'message-accept'));
  if (record === undefined) {
    return err(refusal('notAcceptable', `Header 'Message-Accept': expected it to allow ${expected}`));
  }
  return ok({ headers: { 'Content-Type': RECORDIO_TYPE, 'Message-Content-Type': record }, record });
}

/** The type of the records of a request that is a stream. */
export function recordType(headers: IncomingHttpHeaders): Result<MediaType, Refusal> {
  const given = headerOf(headers, 'message-content-type');
  if (given === undefined) {
    return err(refusal('badRequest', "Header 'Message-Content-Type' is required by streams but missing"));
  }
  const type = bodyType(given);
  if (type !== undefined) return ok(type);
  const text = `Header 'Message-Content-Type': expected ${expected}, got ${JSON.stringify(given)}`;
  return err(refusal('unsupportedMediaType', text));
}

/** The headers for streams say what a message that is no stream can't have. */
export function findStrayHeader(headers: IncomingHttpHeaders): Refusal | undefined {
  if (headers['content-type'] !== RECORDIO_TYPE && headers['message-content-type'] !== undefined) {
    return refusal('unsupportedMediaType', "Header 'Message-Content-Type': expected only in requests that are streams");
  }
  if (acceptedType(headers.accept) !== undefined && headers['message-accept'] !== undefined) {
    return refusal('notAcceptable', "Header 'Message-Accept': expected only where the response is to be a stream");
  }
  return undefined;
}

const headerOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
};
