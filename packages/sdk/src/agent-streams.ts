// The streams of an agent's operator API: the output of a container as a response that stays open, and its input as a
// request that stays open (Mesos: docs/operator-http-api.md, "Streaming").
//
// Boundary: node:http, because fetch limits the time to the response, which a stream of input gets at its end.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type AgentCall, type AgentProcessIO, type ContainerID, renderWireError } from '@meseta/wire';
import { AgentCallCodec, AgentProcessIOCodec, AgentResponseCodec } from '@meseta/wire/codecs';
import { PROTOBUF_TYPE, RECORDIO_TYPE } from '@meseta/wire/media';
import { encodeRecord, recordReader } from '@meseta/wire/recordio';
import { authorizationOf, type Credential } from './addresses.js';
import { MesetaError } from './errors.js';

const MAX_RECORD_BYTES = 64 * 2 ** 20;
/** The limit of a response that is no stream: the status of a container, or the reason of a refusal. */
const MAX_BODY_BYTES = 2 ** 20;

/** An agent that calls are sent to. */
export interface Agent {
  /** `https://10.0.0.2:5051` */
  readonly url: string;
  readonly credential: Credential | undefined;
}

function openRequest({ url, credential }: Agent, headers: Readonly<Record<string, string>>) {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  const sent: ClientRequest = request(`${url}/api/v1`, {
    method: 'POST',
    headers: { ...authorizationOf(credential), ...headers },
    agent: false,
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', (error) =>
      reject(new MesetaError('unreachable', `the agent at ${url} does not answer: ${error.message}`)),
    );
  });
  // The caller awaits it later than it may reject.
  response.catch(() => {});
  return { sent, response };
}

async function bodyOf({ url }: Agent, response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    size += (part as Buffer).length;
    if (size > MAX_BODY_BYTES)
      throw new MesetaError('invalidResponse', `the agent at ${url} answered with more than ${MAX_BODY_BYTES} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

async function requireSuccess(agent: Agent, response: IncomingMessage): Promise<IncomingMessage> {
  const { statusCode = 0 } = response;
  if (statusCode === 200) return response;
  const text = (await bodyOf(agent, response)).toString();
  throw new MesetaError('refused', `the agent at ${agent.url} answered ${statusCode} ${text}`, statusCode);
}

/** Opens the output of a container with a call that has it as response. Throws a MesetaError if it is refused. */
export async function openOutput(agent: Agent, call: AgentCall): Promise<AsyncIterable<AgentProcessIO>> {
  const headers = { 'Content-Type': PROTOBUF_TYPE, Accept: RECORDIO_TYPE, 'Message-Accept': PROTOBUF_TYPE };
  const { sent, response } = openRequest(agent, headers);
  sent.end(AgentCallCodec.encode(call));
  return recordsOf(await requireSuccess(agent, await response), agent);
}

async function* recordsOf(response: IncomingMessage, { url }: Agent): AsyncGenerator<AgentProcessIO> {
  const reader = recordReader(MAX_RECORD_BYTES);
  try {
    for await (const chunk of response) {
      const records = reader.push(chunk as Buffer);
      if (!records.ok)
        throw new MesetaError('invalidResponse', `the agent at ${url} sent what is no stream of records`);
      for (const record of records.value) {
        const io = AgentProcessIOCodec.decode(record, 'trusted');
        if (!io.ok)
          throw new MesetaError(
            'invalidResponse',
            `the agent at ${url} sent a malformed record: ${renderWireError(io.error)}`,
          );
        yield io.value;
      }
    }
  } catch (error) {
    if (error instanceof MesetaError) throw error;
    throw new MesetaError('disconnected', `the connection to the agent at ${url} broke`);
  }
}

/** An open request that is the input of a container. */
export interface ContainerInput {
  /** Resolves when more can be sent. What is sent after the agent has ended the request is lost; see `ended`. */
  send(io: AgentProcessIO): Promise<void>;
  /** Ends the request: the container can be attached to by another client. */
  end(): void;
  /** Resolves when the agent has ended it; rejects with a MesetaError if it has refused it. */
  readonly ended: Promise<void>;
}

/** Opens the input of a container. Its refusal is not thrown: it rejects `ended`. */
export function openInput(agent: Agent, container_id: ContainerID): ContainerInput {
  const { sent, response } = openRequest(agent, {
    'Content-Type': RECORDIO_TYPE,
    'Message-Content-Type': PROTOBUF_TYPE,
    Accept: PROTOBUF_TYPE,
  });
  const write = (call: AgentCall): boolean => sent.write(encodeRecord(AgentCallCodec.encode(call)));
  write({ type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'CONTAINER_ID', container_id } });
  const ended = response.then((it) => requireSuccess(agent, it)).then((it) => void it.resume());
  ended.catch(() => {});
  return {
    async send(process_io) {
      const call = {
        type: 'ATTACH_CONTAINER_INPUT',
        attach_container_input: { type: 'PROCESS_IO', process_io },
      } as const;
      if (sent.destroyed || write(call)) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          sent.off('drain', done);
          sent.off('close', done);
          resolve();
        };
        sent.on('drain', done);
        sent.on('close', done);
      });
    },
    end: () => void sent.end(),
    ended,
  };
}

/** The wait(2) status of a container, once it has ended; undefined if the agent does not know it. Throws a MesetaError. */
export async function waitForContainer(agent: Agent, container_id: ContainerID): Promise<number | undefined> {
  const { sent, response } = openRequest(agent, { 'Content-Type': PROTOBUF_TYPE, Accept: PROTOBUF_TYPE });
  sent.end(AgentCallCodec.encode({ type: 'WAIT_CONTAINER', wait_container: { container_id } }));
  const body = await bodyOf(agent, await requireSuccess(agent, await response));
  const decoded = AgentResponseCodec.decode(body, 'trusted');
  if (!decoded.ok) {
    throw new MesetaError(
      'invalidResponse',
      `the agent at ${agent.url} sent a malformed response: ${renderWireError(decoded.error)}`,
    );
  }
  return decoded.value.wait_container?.exit_status;
}
