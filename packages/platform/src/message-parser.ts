// Parses libprocess messages from the bytes of a connection, however they are split.
//
// Owns: the unread bytes and the position in the current request.
// Boundary: pure, without a socket. It stops at the first request that is no libprocess message and returns its bytes, so
// that node:http can continue from there.
// MESSAGE-PARSER-1: the parsed messages do not depend on how the bytes were split.
// MESSAGE-PARSER-2: memory is bounded by one head (`maxHeadBytes`) and one body (`maxBodyBytes`), in any number of chunks;
//     between messages by `MAX_KNOWN_LENGTH`.
// MESSAGE-PARSER-3: a head that two readers could understand differently is no message: node:http gets and refuses it.
import { err, hostOf, LIMITS, ok, type Pid, type PidParts, parsePid, present, type Result } from '@meseta/base';
import { isAddress } from './addresses.js';
import { type BodyParts, createBodyParts, NO_BYTES } from './body-parts.js';
import { findHeadEnd, HEAD_END_BYTES, parseHeaderLines, parseRequestHead } from './request-head.js';

export interface MessageHead {
  readonly to: string;
  readonly from: Pid;
  readonly wireName: string;
  readonly keepAlive: boolean;
  readonly expectContinue: boolean;
  /** 'chunked', or the number of bytes. */
  readonly body: 'chunked' | number;
}

export interface ParserSink {
  /** The body is valid until this returns. */
  message(head: MessageHead, body: Uint8Array): void;
  /** The sender waits for `100 Continue` before it sends the body. */
  continueExpected(): void;
}

export interface ParserLimits {
  readonly maxHeadBytes: number;
  readonly maxBodyBytes: number;
}

/** More bytes are needed; or `rest` begins a request that is no message; or a message is malformed. */
export type Parsed =
  | { readonly kind: 'more' }
  | { readonly kind: 'foreign'; readonly rest: Buffer }
  | { readonly kind: 'bad'; readonly reason: string; readonly status: 400 | 413 };

export interface MessageParser {
  push(bytes: Buffer): Parsed;
  /** The bytes buffered for an incomplete request. */
  readonly bufferedBytes: number;
}

const LINE_END = Buffer.from('\r\n');
const MORE: Parsed = { kind: 'more' };
const MAX_LINE_BYTES = 4096;
const MAX_KNOWN_LENGTH = 2048;
/** A size and extensions, which are ignored, without control characters. */
const CHUNK_SIZE = /^([0-9a-fA-F]{1,8})(?:;[\t -~\u0080-\u00ff]*)?$/;

const AGENT_PREFIX = 'libprocess/';

/** Whether a request is a libprocess message, by the two headers that libprocess checks. */
export const isLibprocess = (
  method: string | undefined,
  userAgent: string | undefined,
  libprocessFrom: string | undefined,
): boolean => method === 'POST' && (libprocessFrom !== undefined || userAgent?.startsWith(AGENT_PREFIX) === true);

/** The characters of an actor's id, which appears in the request line of messages sent to it. */
const ACTOR_ID = /^[!"$-.0->@-~]+$/;

/**
 * Messages are sent back to the address in the sender's pid: a host name would cause DNS look-ups for strangers, and an id
 * with a space or a slash would change the request.
 */
function senderProblem({ id, address }: PidParts): string | undefined {
  if (!ACTOR_ID.test(id)) return `expected an id of visible characters without /, ? and #, got ${JSON.stringify(id)}`;
  return isAddress(hostOf(address))
    ? undefined
    : `expected an IP address before the port, got ${JSON.stringify(address)}`;
}

/** The recipient, message name and sender of a libprocess request, or the problem with it. */
export function parseEnvelope(
  target: string,
  userAgent: string | undefined,
  libprocessFrom: string | undefined,
): Result<{ to: string; from: Pid; wireName: string }, string> {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  const slash = path.indexOf('/', 1);
  if (!path.startsWith('/') || slash < 2 || slash === path.length - 1) {
    return err(`expected a path /{actor}/{message}, got ${JSON.stringify(path)}`);
  }
  const from = (libprocessFrom ?? userAgent?.slice(AGENT_PREFIX.length) ?? '').trim();
  const sender = parsePid(from);
  const problem = sender.ok ? senderProblem(sender.value) : sender.error;
  if (problem !== undefined) return err(`sender: ${problem}`);
  let to: string;
  try {
    to = decodeURIComponent(path.slice(1, slash));
  } catch {
    return err(`expected a percent-encoded actor, got ${JSON.stringify(path)}`);
  }
  return ok({ to, from: from as Pid, wireName: path.slice(slash + 1) });
}

type HeadResult = MessageHead | { readonly bad: string } | 'foreign';

/** Reads one request head (without its empty line). */
export function parseMessageHead(text: string): HeadResult {
  const head = parseRequestHead(text);
  // A compressed message is rare enough to be node:http's.
  if (head === undefined || head.headers['content-encoding'] !== undefined) return 'foreign';
  const { method, target, headers, framing, keepAlive } = head;
  const { 'user-agent': userAgent, 'libprocess-from': libprocessFrom } = headers;
  if (!isLibprocess(method, userAgent, libprocessFrom)) return 'foreign';
  const envelope = parseEnvelope(target, userAgent, libprocessFrom);
  if (!envelope.ok) return { bad: envelope.error };
  if (framing.kind === 'invalid') return { bad: framing.reason };
  return {
    ...envelope.value,
    keepAlive,
    expectContinue: headers['expect']?.toLowerCase() === '100-continue',
    body: framing.kind === 'chunked' ? 'chunked' : framing.kind === 'length' ? framing.bytes : 0,
  };
}

/** The position of the parser in a request. */
type Position = 'head' | 'sized' | 'chunkSize' | 'chunkData' | 'chunkEnd' | 'trailer';

interface Reader {
  readonly sink: ParserSink;
  readonly limits: ParserLimits;
  /** The last head, if it is short: a busy peer repeats it byte for byte. More would cost memory for each idle peer too. */
  known: { readonly text: string; readonly head: MessageHead } | undefined;
  position: Position;
  unread: Buffer;
  at: number;
  head: MessageHead | undefined;
  /** Bytes of the body, or of its chunk, that are still missing. */
  missing: number;
  readonly parts: BodyParts;
  /** Trailer lines read so far. */
  trailers: number;
  /** Bytes of an incomplete head that were searched for its end. */
  searched: number;
}

const bad = (reason: string, status: 400 | 413 = 400): Parsed => ({ kind: 'bad', reason, status });
const tooLarge = (reader: Reader): Parsed => bad(`body over the limit of ${reader.limits.maxBodyBytes} bytes`, 413);

function headOf(reader: Reader, text: string): HeadResult {
  if (reader.known?.text === text) return reader.known.head;
  const head = parseMessageHead(text);
  const isKept = head !== 'foreign' && !('bad' in head) && text.length <= MAX_KNOWN_LENGTH;
  if (isKept) reader.known = { text, head };
  return head;
}

function readHead(reader: Reader): Parsed | undefined {
  const { unread, at, limits } = reader;
  const end = findHeadEnd(unread, at, reader.searched, limits.maxHeadBytes);
  const foreign = (): Parsed => ({ kind: 'foreign', rest: unread.subarray(at) });
  if (end === 'foreign') return foreign();
  if (end === 'incomplete') {
    reader.searched = unread.length - at;
    return MORE;
  }
  reader.searched = 0;
  const head = headOf(reader, unread.toString('latin1', at, end));
  if (head === 'foreign') return foreign();
  if ('bad' in head) return bad(head.bad);
  reader.at = end + HEAD_END_BYTES;
  reader.head = head;
  if (head.body !== 'chunked' && head.body > limits.maxBodyBytes) return tooLarge(reader);
  reader.position = head.body === 'chunked' ? 'chunkSize' : 'sized';
  reader.missing = head.body === 'chunked' ? 0 : head.body;
  if (head.expectContinue) reader.sink.continueExpected();
  return undefined;
}

function finish(reader: Reader): undefined {
  const { head, parts } = reader;
  const body = parts.take();
  reader.position = 'head';
  // Its texts keep the text of the whole head in memory.
  reader.head = undefined;
  reader.sink.message(present(head, 'head'), body);
}

/** Takes the available bytes of the body; true once it is complete. */
function takeBody(reader: Reader): boolean {
  const { unread, at } = reader;
  const take = Math.min(reader.missing, unread.length - at);
  if (take > 0) {
    reader.parts.add(unread.subarray(at, at + take));
    reader.at += take;
    reader.missing -= take;
  }
  return reader.missing === 0;
}

function readLine(reader: Reader): string | Parsed {
  const { unread, at } = reader;
  const end = unread.indexOf(LINE_END, at);
  if (end < 0)
    return unread.length - at > MAX_LINE_BYTES
      ? bad(`a line of the chunked body is longer than ${MAX_LINE_BYTES} bytes`)
      : MORE;
  reader.at = end + LINE_END.length;
  return unread.toString('latin1', at, end);
}

function readChunkSize(reader: Reader): Parsed | undefined {
  const line = readLine(reader);
  if (typeof line !== 'string') return line;
  const [, digits] = CHUNK_SIZE.exec(line) ?? [];
  if (digits === undefined) return bad('expected a chunk size in hex digits');
  if (reader.parts.isFragmented) return bad(`body in more than ${LIMITS.bodyChunks.most} small chunks`, 413);
  reader.missing = Number.parseInt(digits, 16);
  if (reader.parts.bytes + reader.missing > reader.limits.maxBodyBytes) return tooLarge(reader);
  reader.position = reader.missing === 0 ? 'trailer' : 'chunkData';
  reader.trailers = 0;
  return undefined;
}

function readChunkEnd(reader: Reader): Parsed | undefined {
  const { unread, at } = reader;
  if (unread.length - at < LINE_END.length) return MORE;
  if (unread[at] !== 13 || unread[at + 1] !== 10) return bad('expected a line end after a chunk');
  reader.at += LINE_END.length;
  reader.position = 'chunkSize';
  return undefined;
}

/** Advances by one element; returns the reason if it cannot. */
function advance(reader: Reader): Parsed | undefined {
  switch (reader.position) {
    case 'head':
      return readHead(reader);
    case 'sized':
      return takeBody(reader) ? finish(reader) : MORE;
    case 'chunkSize':
      return readChunkSize(reader);
    case 'chunkData':
      if (!takeBody(reader)) return MORE;
      reader.position = 'chunkEnd';
      return undefined;
    case 'chunkEnd':
      return readChunkEnd(reader);
    case 'trailer': {
      const line = readLine(reader);
      if (typeof line !== 'string') return line;
      if (line === '') return finish(reader);
      if (++reader.trailers > LIMITS.requestHeaders.most || parseHeaderLines([line]) === undefined) {
        return bad(`expected at most ${LIMITS.requestHeaders.most} trailer lines after a chunked body`);
      }
      return undefined;
    }
  }
}

export function createMessageParser(sink: ParserSink, limits: ParserLimits): MessageParser {
  const reader: Reader = {
    sink,
    limits,
    known: undefined,
    position: 'head',
    unread: NO_BYTES,
    at: 0,
    head: undefined,
    missing: 0,
    parts: createBodyParts(),
    trailers: 0,
    searched: 0,
  };
  return {
    push(bytes) {
      const { unread, at } = reader;
      reader.unread = at === unread.length ? bytes : Buffer.concat([unread.subarray(at), bytes]);
      reader.at = 0;
      for (;;) {
        if (reader.position === 'head' && reader.at === reader.unread.length) {
          reader.unread = NO_BYTES;
          reader.at = 0;
          return MORE;
        }
        const stop = advance(reader);
        if (stop !== undefined) return stop;
      }
    },
    get bufferedBytes() {
      return reader.parts.bytes + reader.unread.length - reader.at;
    },
  };
}
