// The calls for nested and standalone containers: LAUNCH_, WAIT_, KILL_, REMOVE_..., and the two that are answered with the
// stream of a container's output (Mesos: docs/operator-http-api.md).
//
// Owns: the calls that wait for the core's answer.
// CONTAINER-CALLS-1: a call that waits for the end of a container is forgotten when its client disconnects.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { agentCalls, type Refusal, refusal, responseType } from '@meseta/api';
import { type ContainerId, type ExecutorId, err, ok, type Result } from '@meseta/base';
import { refuse, sendBody, sendText } from '@meseta/platform/responses';
import { allows, forbidden, isBearer, type Principal } from '@meseta/security';
import type { AgentCall, CommandInfo, ContainerID } from '@meseta/wire';
import { AgentResponseCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, RECORDIO_TYPE } from '@meseta/wire/media';
import type { AgentEffect, AgentInput, AttachableContainer, ConnectionId, ExecutorRecord } from '../core/io.js';
import { userOfLaunch } from '../core/nested-containers.js';
import { outermost } from '../core/nested-records.js';
import { type FrameworkRecord, tasksOf } from '../core/state.js';
import { checkContainerCall, containerIdOf } from '../core/validation.js';
import type { Attachments } from './attachments.js';
import { type OutputOptions, streamOutput } from './container-output.js';
import type { Exchange, HttpOptions } from './http.js';
import { type StreamMedia, streamMedia } from './stream-media.js';

export type CallReply = Extract<AgentEffect, { readonly kind: 'callReply' }>;

export interface ContainerCalls {
  ask(call: AgentCall): Promise<CallReply>;
  /** Asks with a WAIT call. undefined: the client has disconnected (CONTAINER-CALLS-1). */
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
  'ATTACH_CONTAINER_INPUT',
  'ATTACH_CONTAINER_OUTPUT',
  'LAUNCH_CONTAINER',
  'WAIT_CONTAINER',
  'KILL_CONTAINER',
  'REMOVE_CONTAINER',
] as const;

export const isContainerCall = ({ type }: AgentCall): boolean => (CONTAINER_CALLS as readonly unknown[]).includes(type);

type ContainerCallType = (typeof CONTAINER_CALLS)[number];

/** Authorizes a call: for a nested container by its outermost container, for a standalone one by itself. */
export function findDenial(
  { core, gate }: Pick<ContainerCallOptions, 'core' | 'gate'>,
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
  // As in Mesos: who may attach to a container is known once it is.
  if (run === undefined && (type === 'ATTACH_CONTAINER_INPUT' || type === 'ATTACH_CONTAINER_OUTPUT')) return undefined;
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
export interface ContainerCallOptions extends OutputOptions {
  readonly core: Pick<HttpOptions['core'], 'state'>;
  readonly gate: Pick<HttpOptions['gate'], 'authorizer'>;
  readonly attachments: Attachments;
}

export async function serveContainerCall(
  options: ContainerCallOptions,
  { request, response, principal }: Pick<Exchange, 'request' | 'response' | 'principal'>,
  call: AgentCall,
): Promise<void> {
  const problem = checkContainerCall(call);
  if (problem !== undefined) return sendText(response, 400, problem);
  const denied = findDenial(options, principal, call);
  if (denied !== undefined) return refuse(response, denied);
  const media = mediaOf(request.headers, call);
  if (!media.ok) return refuse(response, media.error);
  const isWait = call.type === 'WAIT_CONTAINER' || call.type === 'WAIT_NESTED_CONTAINER';
  const reply = await (isWait
    ? options.containerCalls.askWhileConnected(call, response)
    : options.containerCalls.ask(call));
  if (reply === undefined) return;
  const { container } = reply;
  if (container !== undefined && isStreamed(call)) return attachOutput(options, response, media.value, call, container);
  if (reply.response === undefined) return sendText(response, reply.status, reply.text);
  const { record: type } = media.value;
  const body =
    type === JSON_TYPE ? AgentResponseCodec.write(reply.response) : AgentResponseCodec.encode(reply.response);
  sendBody(response, reply.status, { 'Content-Type': type }, Buffer.from(body));
}

const isStreamed = ({ type }: AgentCall): boolean =>
  type === 'LAUNCH_NESTED_CONTAINER_SESSION' || type === 'ATTACH_CONTAINER_OUTPUT';

function mediaOf(headers: IncomingHttpHeaders, call: AgentCall): Result<StreamMedia, Refusal> {
  if (call.type === 'ATTACH_CONTAINER_INPUT') {
    return err(refusal('unsupportedMediaType', `Header 'Content-Type': expected ${RECORDIO_TYPE} for ${call.type}`));
  }
  if (isStreamed(call)) return streamMedia(headers);
  const type = responseType(headers.accept);
  return type.ok ? ok({ headers: {}, record: type.value }) : type;
}

async function attachOutput(
  options: ContainerCallOptions,
  response: ServerResponse,
  media: StreamMedia,
  call: AgentCall,
  { containerId, sandbox }: AttachableContainer,
): Promise<void> {
  const detach = options.attachments.attachOutput(containerId);
  if (typeof detach === 'string') return refuse(response, refusal('unavailable', detach));
  if (response.closed) detach();
  else response.once('close', detach);
  await streamOutput(options, response, media, call, sandbox);
}
