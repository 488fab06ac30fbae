// Reads libprocess messages off a connection's bytes, however they are cut.
//
// Owns: the unread bytes and the place in the request that is under way.
// Boundary: pure, no socket; what a request means is the caller's. It stops at the first request
// that is no libprocess message and gives its bytes back, so that node:http can go on from there.
// MESSAGE-PARSER-1: the messages that come out don't depend on how the bytes were cut into chunks.
// MESSAGE-PARSER-2: memory held is at most one head (`maxHeadBytes`) and one body (`maxBodyBytes`), in however many chunks.
// MESSAGE-PARSER-3: a head that others could read otherwise is no message: node:http has it, and refuses it.
import { err, hostOf, LIMITS, ok, type Pid, type PidParts, parsePid, present, type Result } from '@meseta/base';
import { isAddress } from './addresses.js';
import { type BodyParts, createBodyParts } from './body-parts.js';
import { parseHeaderLines, parseRequestHead } from './request-head.js';

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
  /** The body is the sink's only until it returns. */
  message(head: MessageHead, body: Uint8Array): void;
  /** A head asks for `100 Continue` before it sends its body. */
  continueExpected(): void;
}

export interface ParserLimits {
  readonly maxHeadBytes: number;
  readonly maxBodyBytes: number;
}

/** What became of the bytes: all read so far; another protocol from `rest` on; or a request that can't be read. */
export type Parsed =
  | { readonly kind: 'more' }
  | { readonly kind: 'foreign'; readonly rest: Buffer }
  | { readonly kind: 'bad'; readonly reason: string; readonly status: 400 | 413 };

export interface MessageParser {
  push(bytes: Buffer): Parsed;
  /** Bytes held for a request that is not complete. */
  readonly heldBytes: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const MORE: Parsed = { kind: 'more' };
const NOTHING = Buffer.alloc(0);
const LETTER_P = 'P'.charCodeAt(0);
const MAX_LINE_BYTES = 4096;
/** A size and extensions, which nobody reads; no control character is in them. */
const CHUNK_SIZE = /^([0-9a-fA-F]{1,8})(?:;[\t -~\u0080-\u00ff]*)?$/;

const AGENT_PREFIX = 'libprocess/';

/** Whether a request is a libprocess message, by the two headers that libprocess looks at. */
export const isLibprocess = (
  method: string | undefined,
  userAgent: string | undefined,
  libprocessFrom: string | undefined,
): boolean => method === 'POST' && (libprocessFrom !== undefined || userAgent?.startsWith(AGENT_PREFIX) === true);

/** What an actor's id may be made of: it stands in the request line of what is sent to it. */
const ACTOR_ID = /^[!"$-.0->@-~]+$/;

/**
 * A sender is answered at the address that it names: one that is no IP address would have this process look up names for
 * strangers, and an id with a space or a slash in it would be another request than a message.
 */
function senderProblem({ id, address }: PidParts): string | undefined {
  if (!ACTOR_ID.test(id)) return `expected an id of visible characters without /, ? and #, got ${JSON.stringify(id)}`;
  return isAddress(hostOf(address))
    ? undefined
    : `expected an IP address before the port, got ${JSON.stringify(address)}`;
}

/** The addressee, name and sender of a libprocess request; what is wrong with it otherwise. */
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

/** Where the parser is in a request. */
type Place = 'head' | 'sized' | 'chunkSize' | 'chunkData' | 'chunkEnd' | 'trailer';

interface Reader {
  readonly sink: ParserSink;
  readonly limits: ParserLimits;
  /** A busy peer sends one head again and again, byte for byte; keeping more costs ten thousand quiet ones memory. */
  known: { readonly text: string; readonly head: MessageHead } | undefined;
  place: Place;
  unread: Buffer;
  at: number;
  head: MessageHead | undefined;
  /** Bytes to come of the body or of its chunk. */
  wanted: number;
  readonly parts: BodyParts;
  /** Lines behind the last chunk. */
  trailers: number;
  /** Bytes of an unfinished head that were looked through. */
  searched: number;
}

const bad = (reason: string, status: 400 | 413 = 400): Parsed => ({ kind: 'bad', reason, status });
const tooLarge = (reader: Reader): Parsed => bad(`body over the limit of ${reader.limits.maxBodyBytes} bytes`, 413);

function headOf(reader: Reader, text: string): HeadResult {
  if (reader.known?.text === text) return reader.known.head;
  const head = parseMessageHead(text);
  if (head !== 'foreign' && !('bad' in head)) reader.known = { text, head };
  return head;
}

function readHead(reader: Reader): Parsed | undefined {
  const { unread, at, limits } = reader;
  const end = unread.indexOf(HEAD_END, at + Math.max(0, reader.searched - HEAD_END.length));
  const foreign = (): Parsed => ({ kind: 'foreign', rest: unread.subarray(at) });
  if (end < 0) {
    // Nothing that begins otherwise can become a message: node:http sees it at once.
    reader.searched = unread.length - at;
    return unread[at] !== LETTER_P || unread.length - at > limits.maxHeadBytes ? foreign() : MORE;
  }
  reader.searched = 0;
  const head = headOf(reader, unread.toString('latin1', at, end));
  if (head === 'foreign') return foreign();
  if ('bad' in head) return bad(head.bad);
  reader.at = end + HEAD_END.length;
  reader.head = head;
  if (head.body !== 'chunked' && head.body > limits.maxBodyBytes) return tooLarge(reader);
  reader.place = head.body === 'chunked' ? 'chunkSize' : 'sized';
  reader.wanted = head.body === 'chunked' ? 0 : head.body;
  if (head.expectContinue) reader.sink.continueExpected();
  return undefined;
}

function finish(reader: Reader): undefined {
  const { head, parts } = reader;
  const body = parts.take();
  reader.place = 'head';
  reader.sink.message(present(head, 'head'), body);
}

/** Takes what is there of the wanted bytes; true once all have come. */
function takeBody(reader: Reader): boolean {
  const { unread, at } = reader;
  const take = Math.min(reader.wanted, unread.length - at);
  if (take > 0) {
    reader.parts.add(unread.subarray(at, at + take));
    reader.at += take;
    reader.wanted -= take;
  }
  return reader.wanted === 0;
}

function readLine(reader: Reader): string | Parsed {
  const { unread, at } = reader;
  const end = unread.indexOf(LINE_END, at);
  if (end < 0) return unread.length - at > MAX_LINE_BYTES ? bad('a line of a chunked body is too long') : MORE;
  reader.at = end + LINE_END.length;
  return unread.toString('latin1', at, end);
}

function readChunkSize(reader: Reader): Parsed | undefined {
  const line = readLine(reader);
  if (typeof line !== 'string') return line;
  const [, digits] = CHUNK_SIZE.exec(line) ?? [];
  if (digits === undefined) return bad('expected a chunk size in hex digits');
  if (reader.parts.isCrumbled) return bad(`body in more than ${LIMITS.bodyChunks.most} small chunks`, 413);
  reader.wanted = Number.parseInt(digits, 16);
  if (reader.parts.bytes + reader.wanted > reader.limits.maxBodyBytes) return tooLarge(reader);
  reader.place = reader.wanted === 0 ? 'trailer' : 'chunkData';
  reader.trailers = 0;
  return undefined;
}

function readChunkEnd(reader: Reader): Parsed | undefined {
  const { unread, at } = reader;
  if (unread.length - at < LINE_END.length) return MORE;
  if (unread[at] !== 13 || unread[at + 1] !== 10) return bad('expected a line end after a chunk');
  reader.at += LINE_END.length;
  reader.place = 'chunkSize';
  return undefined;
}

/** Goes one step on; answers why it can't. */
function advance(reader: Reader): Parsed | undefined {
  switch (reader.place) {
    case 'head':
      return readHead(reader);
    case 'sized':
      return takeBody(reader) ? finish(reader) : MORE;
    case 'chunkSize':
      return readChunkSize(reader);
    case 'chunkData':
      if (!takeBody(reader)) return MORE;
      reader.place = 'chunkEnd';
      return undefined;
    case 'chunkEnd':
      return readChunkEnd(reader);
    case 'trailer': {
      const line = readLine(reader);
      if (typeof line !== 'string') return line;
      if (line === '') return finish(reader);
      if (++reader.trailers > LIMITS.requestHeaders.most || parseHeaderLines([line]) === undefined) {
        return bad(`expected at most ${LIMITS.requestHeaders.most} header lines behind a chunked body`);
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
    place: 'head',
    unread: NOTHING,
    at: 0,
    head: undefined,
    wanted: 0,
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
        if (reader.place === 'head' && reader.at === reader.unread.length) {
          reader.unread = NOTHING;
          reader.at = 0;
          return MORE;
        }
        const stop = advance(reader);
        if (stop !== undefined) return stop;
      }
    },
    get heldBytes() {
      return reader.parts.bytes + reader.unread.length - reader.at;
    },
  };
}
