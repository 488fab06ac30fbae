// ATTACH_CONTAINER_INPUT: a request that is a stream of records. The first names the container, the others are its input and
// the size of its terminal. The response comes when the client has ended its request, or when the container has ended.
//
// CONTAINER-INPUT-1: the next record is read when the container has taken the one before: a container that does not read
//   holds up its client, and memory is bounded by one record.
// CONTAINER-INPUT-2: a record that is refused changes nothing; what was taken before it stays.
import type { IncomingMessage } from 'node:http';
import { agentCalls, checkCall, type Refusal, refusal, responseType } from '@meseta/api';
import { type ContainerId, err, LIMITS, ok, overLimit, type Result } from '@meseta/base';
import type { Containerizer } from '@meseta/containers/containerizer';
import { refuse, sendText } from '@meseta/platform/responses';
import { type AgentCall, type AgentProcessIO, renderWireError } from '@meseta/wire';
import { AgentCallCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { recordReader } from '@meseta/wire/recordio';
import { checkContainerCall, containerIdOf } from '../core/validation.js';
import type { Attachments } from './attachments.js';
import { type ContainerCallOptions, type ContainerCalls, findDenial } from './container-calls.js';
import type { Exchange } from './http.js';
import { recordType } from './stream-media.js';

export interface InputOptions extends ContainerCallOptions {
  readonly containerizer: Pick<Containerizer, 'send'>;
  readonly attachments: Attachments;
  readonly containerCalls: Pick<ContainerCalls, 'ask' | 'askWhileConnected'>;
}

const FIRST_RECORD_TIMEOUT_MS = 60_000;
/** The end of a container closes its input a moment before it is known. */
const END_TIMEOUT_MS = 1000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

const DONE: Answer = { status: 200, text: '' };
const badRecord = (text: string): Answer => ({ status: 400, text });

type CallRecord = Result<AgentCall, Refusal>;

/** The records of the request's body. It ends with the first one that is invalid, and throws when the client disconnects. */
async function* recordsOf(request: IncomingMessage, type: MediaType): AsyncGenerator<CallRecord> {
  const reader = recordReader(LIMITS.attachedInput.most);
  const utf8 = new TextDecoder();
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    const records = reader.push(chunk);
    if (!records.ok) return yield err(refusal('badRequest', renderWireError(records.error)));
    for (const record of records.value) {
      const call = type === JSON_TYPE ? AgentCallCodec.parse(utf8.decode(record)) : AgentCallCodec.decode(record);
      if (!call.ok) return yield err(refusal('badRequest', renderWireError(call.error)));
      yield ok(call.value);
    }
  }
  if (!reader.atBoundary) yield err(refusal('badRequest', 'The body ends within a record'));
}

/** Answers a request whose body is a stream of records. */
export async function serveInput(options: InputOptions, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  // The rest of the body is read and dropped: a socket that is closed with unread bytes is reset, and the response lost.
  const answer = ({ status, text }: Answer): void => {
    request.resume();
    if (!response.headersSent && !response.destroyed) sendText(response, status, text, { Connection: 'close' });
  };
  const decline = (reason: Refusal): void => {
    response.setHeader('Connection', 'close');
    request.resume();
    refuse(response, reason);
  };
  const type = recordType(request.headers);
  if (!type.ok) return decline(type.error);
  if (request.headers['content-encoding'] !== undefined) {
    return decline(refusal('unsupportedMediaType', "Header 'Content-Encoding': expected none for a stream"));
  }
  const accepted = responseType(request.headers.accept);
  if (!accepted.ok) return decline(accepted.error);
  const records = recordsOf(request, type.value);
  const slow = setTimeout(
    () => answer({ status: 408, text: 'The first record did not come in time' }),
    FIRST_RECORD_TIMEOUT_MS,
  );
  try {
    const first = await records.next();
    clearTimeout(slow);
    if (response.headersSent) return;
    if (first.done === true) return answer(badRecord('The body ends before its first record'));
    if (!first.value.ok) return decline(first.value.error);
    const refused = checkFirst(options, exchange, first.value.value);
    if (refused !== undefined) return decline(refused);
    answer(await attach(options, exchange, first.value.value, records));
  } catch (error) {
    // The client has disconnected.
    if (!request.destroyed) throw error;
  } finally {
    clearTimeout(slow);
  }
}

function checkFirst(options: InputOptions, { principal }: Exchange, call: AgentCall): Refusal | undefined {
  const definition = checkCall(agentCalls, call);
  if (!definition.ok) return definition.error;
  if (call.type !== 'ATTACH_CONTAINER_INPUT') {
    return refusal('unsupportedMediaType', `Header 'Content-Type': a stream is not expected for ${call.type}`);
  }
  const problem = checkContainerCall(call);
  return problem === undefined ? findDenial(options, principal, call) : refusal('badRequest', problem);
}

async function attach(
  options: InputOptions,
  { response }: Exchange,
  call: AgentCall,
  records: AsyncGenerator<CallRecord>,
): Promise<Answer> {
  const { containerCalls, attachments } = options;
  const found = await containerCalls.ask(call);
  const container_id = containerIdOf(call);
  if (found.container === undefined || container_id === undefined) return found;
  const { containerId } = found.container;
  const detach = attachments.attachInput(containerId);
  if (detach === undefined) return { status: 409, text: 'Multiple input connections are not allowed' };
  response.once('close', detach);
  const wait = { type: 'WAIT_CONTAINER', wait_container: { container_id } } as const;
  const end = containerCalls.askWhileConnected(wait, response).then(() => DONE);
  const answer = await Promise.race([end, feed(options, containerId, records, end)]);
  // The next client may attach as soon as it has the response.
  detach();
  return answer;
}

const REFUSED: { readonly [K in Input['kind']]: string } = {
  data: 'Failed writing to stdin',
  end: 'Failed writing to stdin',
  window: 'Unable to set the window size',
};

/** Sends the records to the container. `end`: that of the container. */
async function feed(
  { containerizer }: InputOptions,
  containerId: ContainerId,
  records: AsyncGenerator<CallRecord>,
  end: Promise<Answer>,
): Promise<Answer> {
  for await (const record of records) {
    if (!record.ok) return badRecord(record.error.text);
    const input = inputOf(record.value);
    if (!input.ok) return badRecord(input.error);
    if (input.value === undefined) continue;
    const result = await containerizer.send(containerId, input.value);
    if (result === 'taken') continue;
    if (typeof result === 'object') return badRecord(`${REFUSED[input.value.kind]}: ${result.refused}`);
    const timeout = new Promise<Answer>((resolve) => {
      setTimeout(() => resolve({ status: 500, text: 'Failed writing to stdin: it is closed' }), END_TIMEOUT_MS);
    });
    return Promise.race([end, timeout]);
  }
  return DONE;
}

type Input = Parameters<Containerizer['send']>[1];

/** What a record after the first sends; undefined: nothing. The error names the field. */
function inputOf(call: AgentCall): Result<Input | undefined, string> {
  const input = call.attach_container_input;
  if (call.type !== 'ATTACH_CONTAINER_INPUT' || input === undefined) {
    return err(`Field 'type': expected ATTACH_CONTAINER_INPUT with its field, got ${call.type ?? 'nothing'}`);
  }
  if (input.type !== 'PROCESS_IO' || input.process_io === undefined) {
    return err(
      `Field 'attach_container_input.type': expected PROCESS_IO with its field, got ${input.type ?? 'nothing'}`,
    );
  }
  const found = processInput(input.process_io);
  return found.ok ? found : err(`Field 'attach_container_input.process_io.${found.error}`);
}

/** The error continues the name of a field. */
function processInput({ type, data, control }: AgentProcessIO): Result<Input | undefined, string> {
  if (type === 'DATA') {
    if (data?.type !== 'STDIN') return err(`data.type': expected STDIN, got ${data?.type ?? 'nothing'}`);
    if (data.data === undefined) return err("data.data' is missing");
    return ok(data.data === '' ? { kind: 'end' } : { kind: 'data', base64: data.data });
  }
  if (type !== 'CONTROL') return err(`type': expected DATA or CONTROL, got ${type ?? 'nothing'}`);
  if (control?.type === 'HEARTBEAT') {
    return control.heartbeat === undefined ? err("control.heartbeat' is missing") : ok(undefined);
  }
  if (control?.type !== 'TTY_INFO') {
    return err(`control.type': expected TTY_INFO or HEARTBEAT, got ${control?.type ?? 'nothing'}`);
  }
  const window = control.tty_info?.window_size;
  if (window === undefined) return err("control.tty_info.window_size' is missing");
  const excess = overLimit('window', "control.tty_info.window_size'", Math.max(window.rows, window.columns));
  return excess === undefined ? ok({ kind: 'window', window }) : err(excess);
}
