// The calls for nested and standalone containers: LAUNCH_, WAIT_, KILL_, REMOVE_..., and the two that are answered with the
// stream of a container's output (Mesos: docs/operator-http-api.md).
//
// Owns: the calls that wait for the core's answer.
// CONTAINER-CALLS-1: a session's container is killed when the client closes the stream of its output.
// CONTAINER-CALLS-2: an output stream ends when the container has ended and all its output is sent.
// CONTAINER-CALLS-3: output that a client does not read is not buffered: the stream waits.
// CONTAINER-CALLS-4: a call that waits for the end of a container is forgotten when its client disconnects.
import type { ServerResponse } from 'node:http';
import { agentCalls, type Refusal, refusal } from '@meseta/api';
import type { ContainerId, ExecutorId } from '@meseta/base';
import { createOutputReader } from '@meseta/containers/streams/output-reader';
import { answerBody, answerText, refuse } from '@meseta/platform/answers';
import { closeWithClient } from '@meseta/platform/client-end';
import { drained } from '@meseta/platform/send-rendering';
import { allows, forbidden, isBearer, type Principal } from '@meseta/security';
import type { AgentCall, AgentProcessIODataType, CommandInfo, ContainerID } from '@meseta/wire';
import { AgentProcessIOCodec, AgentResponseCodec } from '@meseta/wire/codecs';
import { acceptedType, JSON_TYPE, type MediaType, RECORDIO_TYPE } from '@meseta/wire/media';
import { encodeRecord } from '@meseta/wire/recordio';
import type { AgentEffect, AgentInput, ConnectionId, ExecutorRecord } from '../core/io.js';
import { userOfLaunch } from '../core/nested-containers.js';
import { outermost } from '../core/nested-records.js';
import { type FrameworkRecord, tasksOf } from '../core/state.js';
import { checkContainerCall, containerIdOf } from '../core/validation.js';
import type { Exchange, HttpOptions } from './http.js';

export type CallReply = Extract<AgentEffect, { readonly kind: 'callReply' }>;

export interface ContainerCalls {
  ask(call: AgentCall): Promise<CallReply>;
  /** Asks with a WAIT call. undefined: the client has disconnected (CONTAINER-CALLS-4). */
  askWhileConnected(call: AgentCall, client: ServerResponse): Promise<CallReply | undefined>;
  reply(effect: CallReply): void;
}

export function createContainerCalls(push: (input: AgentInput) => void): ContainerCalls {
  const waiting = new Map<ConnectionId, (reply: CallReply) => void>();
  let next = 0;
  function start(call: AgentCall, onReply: (reply: CallReply) => void): ConnectionId {
    const connection = `call ${next++}` as ConnectionId;
    waiting.set(connection, onReply);
    push({ kind: 'containerCall', connection, call });
    return connection;
  }
  return {
    ask: (call) => new Promise((resolve) => void start(call, resolve)),
    askWhileConnected: (call, client) =>
      new Promise((resolve) => {
        if (client.destroyed) return resolve(undefined);
        const onClose = (): void => {
          waiting.delete(connection);
          const id = containerIdOf(call);
          if (id !== undefined) push({ kind: 'containerCallClosed', connection, id });
          resolve(undefined);
        };
        const connection = start(call, (reply) => {
          client.off('close', onClose);
          resolve(reply);
        });
        client.once('close', onClose);
      }),
    reply(effect) {
      waiting.get(effect.connection)?.(effect);
      waiting.delete(effect.connection);
    },
  };
}

const CONTAINER_CALLS = [
  'LAUNCH_NESTED_CONTAINER',
  'WAIT_NESTED_CONTAINER',
  'KILL_NESTED_CONTAINER',
  'REMOVE_NESTED_CONTAINER',
  'LAUNCH_NESTED_CONTAINER_SESSION',
  'ATTACH_CONTAINER_OUTPUT',
  'LAUNCH_CONTAINER',
  'WAIT_CONTAINER',
  'KILL_CONTAINER',
  'REMOVE_CONTAINER',
] as const;

export const isContainerCall = ({ type }: AgentCall): boolean => (CONTAINER_CALLS as readonly unknown[]).includes(type);

type ContainerCallType = (typeof CONTAINER_CALLS)[number];

/** Authorizes a call: for a nested container by its outermost container, for a standalone one by itself. */
function findDenial(
  { core, gate }: ContainerCallOptions,
  principal: Principal | undefined,
  call: AgentCall,
): Refusal | undefined {
  const type = call.type as ContainerCallType;
  const id = containerIdOf(call);
  const nestedType = id?.parent === undefined ? undefined : nestedTypes[type];
  const approver = gate.authorizer.approverFor(principal, agentCalls[nestedType ?? type].action);
  const command = (call.launch_nested_container ?? call.launch_nested_container_session ?? call.launch_container)
    ?.command;
  const run = core.state.runs.get((id && outermost(id)) as ContainerId);
  const framework = run && core.state.frameworks.get(run.frameworkId);
  const executor = run && framework?.executors.get(run.executorId);
  const object = {
    ...(framework === undefined ? {} : { framework_info: framework.info }),
    ...(executor === undefined ? {} : { executor_info: executor.info }),
    ...(id === undefined ? {} : { container_id: id }),
    ...(command === undefined || id === undefined ? {} : { command_info: withUser(core, id, command) }),
  };
  if (!allows(approver, object)) return forbidden(principal, `call ${type}`);
  const user = command?.user;
  const isOwnUser =
    !isBearer(principal) ||
    user === undefined ||
    framework === undefined ||
    executor === undefined ||
    usersOf(framework, executor).has(user);
  return isOwnUser ? undefined : forbidden(principal, `call ${type} as the user ${user}`);
}

/** The command with the user that it will run as: that user must be allowed. */
function withUser(core: ContainerCallOptions['core'], id: ContainerID, command: CommandInfo): CommandInfo {
  const user = userOfLaunch(core, id, command);
  return user === undefined ? command : { ...command, user };
}

/** The users of an executor and of its tasks: its token allows no other user. */
function usersOf(framework: FrameworkRecord, { info }: ExecutorRecord): ReadonlySet<string> {
  const tasks = [...tasksOf(framework, info.executor_id.value as ExecutorId)];
  const users = tasks.map((task) => task.info.command?.user);
  return new Set([info.command?.user ?? framework.info.user, ...users.filter((user) => user !== undefined)]);
}

/** The call that the authorizer is asked about when a call for any container names a nested one. */
const nestedTypes: Partial<Record<ContainerCallType, ContainerCallType>> = {
  LAUNCH_CONTAINER: 'LAUNCH_NESTED_CONTAINER',
  WAIT_CONTAINER: 'WAIT_NESTED_CONTAINER',
  KILL_CONTAINER: 'KILL_NESTED_CONTAINER',
  REMOVE_CONTAINER: 'REMOVE_NESTED_CONTAINER',
};

/** The part of the agent that the calls use. */
export interface ContainerCallOptions extends Pick<HttpOptions, 'files'> {
  readonly core: Pick<HttpOptions['core'], 'state'>;
  readonly gate: Pick<HttpOptions['gate'], 'authorizer'>;
  readonly containerCalls: Pick<ContainerCalls, 'ask' | 'askWhileConnected'>;
}

export async function answerContainerCall(
  options: ContainerCallOptions,
  { request, response, principal }: Pick<Exchange, 'request' | 'response' | 'principal'>,
  call: AgentCall,
): Promise<void> {
  const problem = checkContainerCall(call);
  if (problem !== undefined) return answerText(response, 400, problem);
  const denied = findDenial(options, principal, call);
  if (denied !== undefined) return refuse(response, denied);
  const isStream = call.type === 'LAUNCH_NESTED_CONTAINER_SESSION' || call.type === 'ATTACH_CONTAINER_OUTPUT';
  const { accept } = request.headers;
  const asRecords = accept?.split(',').some((part) => part.trim().split(';')[0] === RECORDIO_TYPE) === true;
  const media = acceptedType(asRecords ? (request.headers['message-accept'] as string | undefined) : accept);
  if (media === undefined) {
    const text = `Header '${asRecords ? 'Message-Accept' : 'Accept'}': expected application/json or application/x-protobuf`;
    return refuse(response, refusal('notAcceptable', text));
  }
  const isWait = call.type === 'WAIT_CONTAINER' || call.type === 'WAIT_NESTED_CONTAINER';
  const reply = await (isWait
    ? options.containerCalls.askWhileConnected(call, response)
    : options.containerCalls.ask(call));
  if (reply === undefined) return;
  if (reply.status === 200 && reply.sandbox !== undefined && isStream) {
    const headers = asRecords
      ? { 'Content-Type': RECORDIO_TYPE, 'Message-Content-Type': media }
      : { 'Content-Type': media };
    response.writeHead(200, headers);
    await streamOutput(options, response, media, call, reply.sandbox);
  } else if (reply.response !== undefined) {
    const body =
      media === JSON_TYPE ? AgentResponseCodec.write(reply.response) : AgentResponseCodec.encode(reply.response);
    answerBody(response, reply.status, { 'Content-Type': media }, Buffer.from(body));
  } else answerText(response, reply.status, reply.text);
}

/** CONTAINER-CALLS-1, CONTAINER-CALLS-2, CONTAINER-CALLS-3. */
async function streamOutput(
  { containerCalls, files }: ContainerCallOptions,
  response: ServerResponse,
  media: MediaType,
  call: AgentCall,
  sandbox: string,
): Promise<void> {
  const isSession = call.type === 'LAUNCH_NESTED_CONTAINER_SESSION';
  const container_id = containerIdOf(call);
  if (container_id === undefined) return;
  const send = async (type: AgentProcessIODataType, data: Buffer): Promise<void> => {
    const io = { type: 'DATA', data: { type, data: data.toString('base64') } } as const;
    const bytes = media === JSON_TYPE ? Buffer.from(AgentProcessIOCodec.write(io)) : AgentProcessIOCodec.encode(io);
    if (!response.write(encodeRecord(bytes))) await drained(response);
  };
  response.flushHeaders();
  const reader = createOutputReader(files, sandbox, isSession ? 'start' : 'end', send);
  let hasEnded = false;
  const onClose = (): void => {
    reader.stop();
    if (isSession && !hasEnded)
      void containerCalls.ask({ type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } });
  };
  // The client may have closed the connection during the launch.
  if (response.destroyed) onClose();
  else response.on('close', onClose);
  closeWithClient(response);
  const wait = { type: 'WAIT_CONTAINER', wait_container: { container_id } } as const;
  const waited = await containerCalls.askWhileConnected(wait, response);
  if (waited === undefined) return;
  if (waited.status === 500) {
    // Too many calls wait for the container (LIMITS.waitingCalls): its end would not be noticed.
    response.destroy();
    return;
  }
  hasEnded = true;
  await reader.finish();
  // The ended container is not removed: Mesos' command line asks for its status after the session (NESTED-2).
  response.end();
}
