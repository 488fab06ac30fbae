// The agent's operator API as the bytes of its clients: requests that stay open, and responses that are streams of records.
import assert from 'node:assert/strict';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { AgentCall, AgentProcessIO, ContainerID } from '@meseta/sdk';
import { AgentCallCodec, AgentProcessIOCodec } from '@meseta/wire/codecs';
import { encodeRecord, recordReader } from '@meseta/wire/recordio';

export type Media = 'application/json' | 'application/x-protobuf';

type Headers = Readonly<Record<string, string>>;

const encode = (call: AgentCall, media: Media): Uint8Array =>
  media === 'application/json' ? Buffer.from(AgentCallCodec.write(call)) : AgentCallCodec.encode(call);

function send(
  address: string,
  headers: Headers,
): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
  const [host, port] = address.split(':');
  const sent = request({ host, port, method: 'POST', path: '/api/v1', headers, agent: false });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', reject);
  });
  answer.catch(() => {});
  return { sent, answer };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of answer) text += part;
  return text;
}

/** A call with a response that is no stream. */
export async function callAgent(address: string, call: AgentCall, headers: Headers = {}) {
  const { sent, answer } = send(address, {
    'Content-Type': 'application/json',
    Accept: 'application/json',
    ...headers,
  });
  sent.end(encode(call, 'application/json'));
  const { statusCode } = await answer;
  return { status: statusCode ?? 0, text: await textOf(await answer) };
}

export interface OutputStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of an answer that is no stream. */
  readonly text: string;
  /** What was received so far of a stream. */
  output(type: 'STDOUT' | 'STDERR'): string;
  /** Resolves at the end of the stream. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Opens a stream of output, as Mesos' command line does. */
export async function openOutput(
  address: string,
  call: AgentCall,
  media: Media = 'application/json',
  given: Headers = {},
): Promise<OutputStream> {
  const { sent, answer: coming } = send(address, {
    'Content-Type': media,
    Accept: 'application/recordio',
    'Message-Accept': media,
    ...given,
  });
  sent.end(encode(call, media));
  const answer = await coming;
  const { statusCode: status = 0, headers } = answer;
  if (status !== 200) {
    const text = await textOf(answer);
    return { status, headers, text, output: () => '', ended: Promise.resolve(), close: () => {} };
  }
  const seen = new Map<string, Buffer[]>();
  const reader = recordReader(2 ** 20);
  const onRecord = (record: Uint8Array): void => {
    const io =
      media === 'application/json'
        ? AgentProcessIOCodec.parse(Buffer.from(record).toString())
        : AgentProcessIOCodec.decode(record);
    assert.ok(io.ok);
    const { data } = io.value as AgentProcessIO;
    if (data?.type === undefined) return;
    seen.set(data.type, [...(seen.get(data.type) ?? []), Buffer.from(data.data ?? '', 'base64')]);
  };
  answer.on('data', (chunk: Buffer) => {
    const records = reader.push(chunk);
    assert.ok(records.ok);
    for (const record of records.value) onRecord(record);
  });
  const ended = new Promise<void>((resolve) => answer.once('close', resolve));
  return {
    status,
    headers,
    text: '',
    output: (type) => Buffer.concat(seen.get(type) ?? []).toString(),
    ended,
    close: () => sent.destroy(),
  };
}

export interface InputStream {
  write(io: AgentProcessIO): void;
  writeRecord(call: AgentCall): void;
  writeText(text: string): void;
  end(): void;
  close(): void;
  readonly answer: Promise<{ readonly status: number; readonly text: string }>;
}

/** Opens a request that is a stream of input. Its first record is sent, if a container is given. */
export function openInput(
  address: string,
  container_id: ContainerID | undefined,
  media: Media = 'application/json',
  given: Headers = {},
): InputStream {
  const { sent, answer: coming } = send(address, {
    'Content-Type': 'application/recordio',
    'Message-Content-Type': media,
    Accept: 'application/json',
    Connection: 'close',
    'Transfer-Encoding': 'chunked',
    ...given,
  });
  const writeRecord = (call: AgentCall): void => void sent.write(encodeRecord(encode(call, media)));
  const write = (process_io: AgentProcessIO): void =>
    writeRecord({ type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'PROCESS_IO', process_io } });
  if (container_id !== undefined) {
    writeRecord({ type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'CONTAINER_ID', container_id } });
  } else sent.flushHeaders();
  const answer = coming.then(async (it) => ({ status: it.statusCode ?? 0, text: await textOf(it) }));
  answer.catch(() => {});
  return {
    write,
    writeRecord,
    writeText: (text) => write({ type: 'DATA', data: { type: 'STDIN', data: Buffer.from(text).toString('base64') } }),
    end: () => void sent.end(),
    close: () => void sent.destroy(),
    answer,
  };
}
