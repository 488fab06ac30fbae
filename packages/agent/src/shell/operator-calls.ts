// The agent's v1 operator calls (Mesos: docs/operator-http-api.md), except those for containers (container-calls.ts).
import { agentCalls, checkCall, decodeBody, type Refusal, refusal, responseType } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import type { BodyReader } from '@meseta/platform';
import { buildInfo } from '@meseta/platform/build-info';
import { bytesOf, refuse, sendBody, sendText } from '@meseta/platform/responses';
import { browse, readPart } from '@meseta/platform/shown-files';
import { allows, forbidden, type Principal } from '@meseta/security';
import type { AgentCall, AgentResponse } from '@meseta/wire';
import { AgentCallCodec, AgentResponseCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, RECORDIO_TYPE } from '@meseta/wire/media';
import type { Approver } from '../views/approver.js';
import type { MeasuredPodTask } from '../views/v0.js';
import { getAgent, getExecutors, getFrameworks, getOperations, getState, getTasks } from '../views/v1.js';
import { responsePieces } from '../views/v1-pieces.js';
import { rootsFor } from './attached-files.js';
import type { Attachments } from './attachments.js';
import { isContainerCall, serveContainerCall } from './container-calls.js';
import { serveInput } from './container-input.js';
import { currentMetrics } from './current-metrics.js';
import type { Exchange, HttpOptions } from './http.js';
import { measureContainers, measureNested } from './measure.js';
import { findStrayHeader } from './stream-media.js';

export interface OperatorOptions extends HttpOptions {
  readonly attachments: Attachments;
}

export async function serveCall(options: OperatorOptions, bodies: BodyReader, exchange: Exchange): Promise<void> {
  const { request, response, principal, approver } = exchange;
  const stray = findStrayHeader(request.headers);
  if (stray !== undefined) {
    refuse(response, stray);
    return;
  }
  if (request.headers['content-type'] === RECORDIO_TYPE) {
    await serveInput(options, exchange);
    return;
  }
  const body = await bodies.read(request);
  if (!body.ok) {
    sendText(response, body.error.status, body.error.message, { Connection: 'close' });
    return;
  }
  const call = decodeBody(request.headers['content-type'], body.value, AgentCallCodec);
  if (!call.ok) {
    refuse(response, call.error);
    return;
  }
  const definition = checkCall(agentCalls, call.value);
  if (definition.ok && isContainerCall(call.value)) {
    await serveContainerCall(options, exchange, call.value);
    return;
  }
  const accepted = responseType(request.headers.accept);
  if (!definition.ok || !accepted.ok) {
    refuse(response, definition.ok ? (accepted as { readonly error: Refusal }).error : definition.error);
    return;
  }
  const denied = findDenial(options, principal, call.value);
  if (denied !== undefined) {
    refuse(response, denied);
    return;
  }
  const answer = await answerOf(options, call.value, approver);
  if (!answer.ok) {
    refuse(response, answer.error);
    return;
  }
  if (answer.value === undefined) {
    sendText(response, 200);
    return;
  }
  const encoded =
    accepted.value === JSON_TYPE
      ? bytesOf([responsePieces(answer.value)])
      : Buffer.from(AgentResponseCodec.encode(answer.value));
  sendBody(response, 200, { 'Content-Type': accepted.value }, encoded);
}

/** Calls that are authorized as a whole. For the others the answer contains the objects that the principal may see. */
const AUTHORIZED_AS_WHOLE = new Set([
  'GET_FLAGS',
  'SET_LOGGING_LEVEL',
  'GET_RESOURCE_PROVIDERS',
  'PRUNE_IMAGES',
] as const);

function findDenial({ gate }: HttpOptions, principal: Principal | undefined, { type }: AgentCall): Refusal | undefined {
  const whole = type as Parameters<typeof AUTHORIZED_AS_WHOLE.has>[0];
  if (!AUTHORIZED_AS_WHOLE.has(whole)) return undefined;
  const approver = gate.authorizer.approverFor(principal, agentCalls[whole].action);
  return allows(approver) ? undefined : forbidden(principal, `call ${type}`);
}

/** The response to a call; undefined: done, the answer has no body. */
async function answerOf(
  options: HttpOptions,
  call: AgentCall,
  approver: Approver,
): Promise<Result<AgentResponse | undefined, Refusal>> {
  const { type } = call;
  const { state } = options.core;
  switch (type) {
    case 'GET_HEALTH':
      return ok({ type, get_health: { healthy: true } });
    case 'GET_FLAGS':
      return ok({ type, get_flags: { flags: [...options.shown].map(([name, value]) => ({ name, value })) } });
    case 'GET_VERSION':
      return ok({ type, get_version: { version_info: buildInfo } });
    case 'GET_METRICS':
      return ok({
        type,
        get_metrics: { metrics: [...currentMetrics(options)].map(([name, { value }]) => ({ name, value })) },
      });
    case 'GET_LOGGING_LEVEL':
      return ok({ type, get_logging_level: { level: options.logging.get() } });
    case 'SET_LOGGING_LEVEL': {
      const { level = -1, duration } = call.set_logging_level ?? {};
      const set = options.logging.set(level, (duration?.nanoseconds ?? 0) / 1e6);
      return set.ok ? set : err(refusal('badRequest', `Field 'set_logging_level': ${set.error}`));
    }
    case 'GET_STATE':
      return ok({ type, get_state: getState(state, approver) });
    case 'GET_FRAMEWORKS':
      return ok({ type, get_frameworks: getFrameworks(state, approver) });
    case 'GET_EXECUTORS':
      return ok({ type, get_executors: getExecutors(state, approver) });
    case 'GET_TASKS':
      return ok({ type, get_tasks: getTasks(state, approver) });
    case 'GET_OPERATIONS':
      return ok({ type, get_operations: getOperations(state, approver) });
    case 'GET_AGENT':
      return ok({ type, get_agent: getAgent(state) });
    case 'GET_RESOURCE_PROVIDERS':
      return ok({ type, get_resource_providers: {} });
    case 'GET_CONTAINERS':
      return ok(await getContainers(options, call, approver));
    case 'LIST_FILES':
    case 'READ_FILE':
      return fileCall(options, call, approver);
    case 'PRUNE_IMAGES':
      return pruneImages(options, call);
    default:
      return err(refusal('notImplemented', `Field 'type': this agent does not have ${type} yet`));
  }
}

async function pruneImages(
  { containerizer }: HttpOptions,
  { prune_images }: AgentCall,
): Promise<Result<undefined, Refusal>> {
  const problem = await containerizer.pruneImages(prune_images?.excluded_images ?? []);
  return problem === undefined ? ok(undefined) : err(refusal('unavailable', `Images could not be removed: ${problem}`));
}

async function getContainers(options: HttpOptions, call: AgentCall, approver: Approver): Promise<AgentResponse> {
  const nested = call.get_containers?.show_nested === true;
  const shown = ({ containerId, status, statistics }: MeasuredPodTask) => ({
    container_id: { value: containerId },
    container_status: status,
    ...(statistics === undefined ? {} : { resource_statistics: statistics }),
  });
  const nestedContainers = await measureNested(
    options,
    approver,
    nested,
    call.get_containers?.show_standalone === true,
  );
  const measured = (await measureContainers(options, approver)).flatMap(({ executor, podTasks, ...measured }) => [
    {
      framework_id: { value: executor.frameworkId },
      executor_id: executor.info.executor_id,
      executor_name: executor.info.name ?? '',
      ...shown({ ...measured, containerId: executor.containerId }),
    },
    ...(nested ? podTasks.map(shown) : []),
  ]);
  const containers = [...measured, ...nestedContainers.map(shown)];
  // Like Mesos, the answer has no such field when there are no containers.
  return { type: 'GET_CONTAINERS', ...(containers.length === 0 ? {} : { get_containers: { containers } }) };
}

async function fileCall(
  { core, logFile }: HttpOptions,
  call: AgentCall,
  approver: Approver,
): Promise<Result<AgentResponse, Refusal>> {
  if (call.type === 'LIST_FILES') {
    const infos = await browse(rootsFor(core.state, approver, logFile), call.list_files?.path ?? '');
    return infos.ok ? ok({ type: 'LIST_FILES', list_files: { file_infos: infos.value } }) : infos;
  }
  const { path = '', offset = 0, length } = call.read_file ?? {};
  const part = await readPart(rootsFor(core.state, approver, logFile), path, offset, length);
  if (!part.ok) return part;
  const { sizeBytes, data } = part.value;
  return ok({ type: 'READ_FILE', read_file: { size: sizeBytes, data: data.toString('base64') } });
}
