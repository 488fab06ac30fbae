// Reads libprocess messages off a connection's bytes, however they are cut.
//
// Owns: the unread bytes and the place in the request that is under way.
// Boundary: pure, no socket; what a request means is the caller's. It stops at the first request
// that is no libprocess message and gives its bytes back, so that node:http can go on from there.
// P1: the messages that come out don't depend on how the bytes were cut into chunks.
// P2: memory held is at most one head (`maxHeadBytes`) and one body (`maxBodyBytes`).
import { err, ok, type Pid, parsePid, type Result } from '@meseta/base';

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
  | { readonly kind: 'bad'; readonly reason: string };

export interface MessageParser {
  push(bytes: Buffer): Parsed;
  /** Bytes held for a request that is not complete. */
  readonly heldBytes: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const MORE: Parsed = { kind: 'more' };
const NOTHING = Buffer.alloc(0);
const MAX_KNOWN_HEADS = 1024;
const MAX_LINE_BYTES = 4096;

const AGENT_PREFIX = 'libprocess/';

/** Whether a request is a libprocess message, by the two headers that libprocess looks at. */
export const isLibprocess = (
  method: string | undefined,
  userAgent: string | undefined,
  libprocessFrom: string | undefined,
): boolean => method === 'POST' && (libprocessFrom !== undefined || userAgent?.startsWith(AGENT_PREFIX) === true);

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
  if (!sender.ok) return err(`sender: ${sender.error}`);
  let to: string;
  try {
    to = decodeURIComponent(path.slice(1, slash));
  } catch {
    return err(`expected a percent-encoded actor, got ${JSON.stringify(path)}`);
  }
  return ok({ to, from: from as Pid, wireName: path.slice(slash + 1) });
}

type HeadResult = MessageHead | { readonly bad: string } | 'foreign';

const lengthOf = (headers: ReadonlyMap<string, string>): 'chunked' | number | undefined => {
  const encoding = headers.get('transfer-encoding');
  if (encoding !== undefined) return encoding.toLowerCase() === 'chunked' ? 'chunked' : undefined;
  const length = headers.get('content-length') ?? '0';
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined;
};

/** Reads one request head (without its empty line). */
export function parseHead(text: string): HeadResult {
  const lines = text.split('\r\n');
  const [method, target, version, more] = (lines[0] ?? '').split(' ');
  if (method !== 'POST' || target === undefined || version === undefined || more !== undefined) return 'foreign';
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return 'foreign';
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) return 'foreign';
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const userAgent = headers.get('user-agent');
  const libprocessFrom = headers.get('libprocess-from');
  if (!isLibprocess(method, userAgent, libprocessFrom)) return 'foreign';
  const envelope = parseEnvelope(target, userAgent, libprocessFrom);
  if (!envelope.ok) return { bad: envelope.error };
  const body = lengthOf(headers);
  if (body === undefined) return { bad: 'expected Transfer-Encoding: chunked or a Content-Length in digits' };
  const connection = headers.get('connection')?.toLowerCase();
  return {
    ...envelope.value,
    keepAlive: version === 'HTTP/1.1' ? connection !== 'close' : connection === 'keep-alive',
    expectContinue: headers.get('expect')?.toLowerCase() === '100-continue',
    body,
  };
}

type State = 'head' | 'sized' | 'chunkSize' | 'chunkData' | 'chunkEnd' | 'trailer';

export function createMessageParser(sink: ParserSink, limits: ParserLimits): MessageParser {
  let state: State = 'head';
  let unread: Buffer = NOTHING;
  let at = 0;
  let head: MessageHead | undefined;
  let wanted = 0;
  let parts: Buffer[] = [];
  let partBytes = 0;
  // A peer sends the same few heads again and again, byte for byte.
  const knownHeads = new Map<string, MessageHead>();

  const readHead = (): Parsed | undefined => {
    const end = unread.indexOf(HEAD_END, at);
    if (end < 0) {
      return unread.length - at > limits.maxHeadBytes ? { kind: 'foreign', rest: unread.subarray(at) } : MORE;
    }
    const text = unread.latin1Slice(at, end);
    let read: HeadResult | undefined = knownHeads.get(text);
    if (read === undefined) {
      read = parseHead(text);
      if (read === 'foreign') return { kind: 'foreign', rest: unread.subarray(at) };
      if ('bad' in read) return { kind: 'bad', reason: read.bad };
      if (knownHeads.size >= MAX_KNOWN_HEADS) knownHeads.clear();
      knownHeads.set(text, read);
    }
    at = end + HEAD_END.length;
    head = read as MessageHead;
    if (head.expectContinue) sink.continueExpected();
    if (head.body === 'chunked') {
      state = 'chunkSize';
      return undefined;
    }
    if (head.body > limits.maxBodyBytes) return tooLarge();
    wanted = head.body;
    state = 'sized';
    return undefined;
  };

  const tooLarge = (): Parsed => ({ kind: 'bad', reason: `body over the limit of ${limits.maxBodyBytes} bytes` });

  const finish = (): void => {
    const [only] = parts;
    const body = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, partBytes);
    parts = [];
    partBytes = 0;
    state = 'head';
    const done = head as MessageHead;
    head = undefined;
    sink.message(done, body);
  };

  /** Takes what is there of `wanted` bytes; true once all have come. */
  const takeBody = (): boolean => {
    const take = Math.min(wanted, unread.length - at);
    if (take > 0) {
      parts.push(unread.subarray(at, at + take));
      partBytes += take;
      at += take;
      wanted -= take;
    }
    return wanted === 0;
  };

  const readLine = (): string | Parsed => {
    const end = unread.indexOf(LINE_END, at);
    if (end < 0) return unread.length - at > MAX_LINE_BYTES ? { kind: 'bad', reason: 'chunk line too long' } : MORE;
    const line = unread.latin1Slice(at, end);
    at = end + LINE_END.length;
    return line;
  };

  const readChunkSize = (): Parsed | undefined => {
    const line = readLine();
    if (typeof line !== 'string') return line;
    const digits = (line.split(';', 1)[0] ?? '').trim();
    if (!/^[0-9a-fA-F]{1,8}$/.test(digits)) return { kind: 'bad', reason: 'expected a chunk size in hex digits' };
    wanted = Number.parseInt(digits, 16);
    if (partBytes + wanted > limits.maxBodyBytes) return tooLarge();
    state = wanted === 0 ? 'trailer' : 'chunkData';
    return undefined;
  };

  const readChunkEnd = (): Parsed | undefined => {
    if (unread.length - at < LINE_END.length) return MORE;
    if (unread[at] !== 13 || unread[at + 1] !== 10) return { kind: 'bad', reason: 'expected a line end after a chunk' };
    at += LINE_END.length;
    state = 'chunkSize';
    return undefined;
  };

  const advance = (): Parsed | undefined => {
    switch (state) {
      case 'head':
        return readHead();
      case 'sized':
        if (!takeBody()) return MORE;
        finish();
        return undefined;
      case 'chunkSize':
        return readChunkSize();
      case 'chunkData':
        if (!takeBody()) return MORE;
        state = 'chunkEnd';
        return undefined;
      case 'chunkEnd':
        return readChunkEnd();
      case 'trailer': {
        const line = readLine();
        if (typeof line !== 'string') return line;
        if (line === '') finish();
        return undefined;
      }
    }
  };

  return {
    push(bytes) {
      unread = at === unread.length ? bytes : Buffer.concat([unread.subarray(at), bytes]);
      at = 0;
      for (;;) {
        if (state === 'head' && at === unread.length) {
          unread = NOTHING;
          at = 0;
          return MORE;
        }
        const stop = advance();
        if (stop !== undefined) return stop;
      }
    },
    get heldBytes() {
      return partBytes + unread.length - at;
    },
  };
}
