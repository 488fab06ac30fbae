// POST /api/v1. Calls that read are answered by views; calls that change state become inputs of the core.
import {
  checkCall,
  decodeBody,
  encodeAs,
  type Metrics,
  masterCalls,
  type Refusal,
  refusal,
  responseType,
} from '@meseta/api';
import { ok, type Result } from '@meseta/base';
import type { BodyReader, RenderQueue } from '@meseta/platform';
import type { LoggingLevel } from '@meseta/platform/logging-level';
import { refuse, sendBody, sendText } from '@meseta/platform/responses';
import { browse, type FindRoot, readPart } from '@meseta/platform/shown-files';
import { type Authorizer, allows, forbidden, principalOf } from '@meseta/security';
import type { MasterCall, MasterResponse } from '@meseta/wire';
import { MasterCallCodec, MasterResponseCodec } from '@meseta/wire/codecs';
import type { MediaType } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { Approver } from '../views/approver.js';
import type { ProcessFacts } from '../views/facts.js';
import type { Remembered } from '../views/runs.js';
import { snapshotOf } from '../views/snapshot.js';
import * as responses from '../views/v1-responses.js';
import { isStateCall, stateCallDocument } from '../views/v1-state.js';
import type { ApproverOf } from './approver-of.js';
import { type Exchange, header, readBody } from './exchange.js';
import type { Requests } from './requests.js';

export interface OperatorApiOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly renders: RenderQueue;
  readonly facts: ProcessFacts;
  readonly approverOf: ApproverOf;
  readonly authorizer: Authorizer;
  state(): MasterState;
  metrics(): Metrics;
  filesFor(principal: string | undefined): FindRoot;
  logging: LoggingLevel;
  push(input: MasterInput): void;
  /** Opens the operator's event stream. */
  subscribe(exchange: Exchange, mediaType: MediaType): Promise<void>;
}

export function createOperatorApi(options: OperatorApiOptions) {
  const { bodies, requests, push } = options;
  return async (exchange: Exchange): Promise<void> => {
    const { response, principal } = exchange;
    const body = await readBody(bodies, exchange);
    if (body === undefined) return;
    const decoded = decodeBody(header(exchange, 'content-type'), body, MasterCallCodec);
    if (!decoded.ok) return refuse(response, decoded.error);
    const call = decoded.value;
    const definition = checkCall(masterCalls, call);
    if (!definition.ok) return refuse(response, definition.error);
    const media = responseType(header(exchange, 'accept'));
    if (!media.ok) return refuse(response, media.error);
    const denied = denialOf(options.authorizer, principal, call);
    if (denied !== undefined) return refuse(response, denied);
    if (call.type === 'SUBSCRIBE') return options.subscribe(exchange, media.value);
    if (definition.value.access === 'reads') return read(options, exchange, call, media.value);
    if (call.set_logging_level !== undefined) return setLevel(options.logging, exchange, call.set_logging_level);
    push({ kind: 'operatorCall', request: requests.add(response, media.value), principal, call });
  };
}

/** Calls that are authorized as a whole. For all others, the core or the view authorizes each object. */
function denialOf(authorizer: Authorizer, principal: string | undefined, { type }: MasterCall): Refusal | undefined {
  if (type !== 'GET_FLAGS' && type !== 'SET_LOGGING_LEVEL') return undefined;
  const subject = principal === undefined ? undefined : principalOf(principal);
  return allows(authorizer.approverFor(subject, masterCalls[type].action))
    ? undefined
    : forbidden(subject, `call ${type}`);
}

async function read(
  options: OperatorApiOptions,
  { response, principal }: Exchange,
  call: MasterCall,
  mediaType: MediaType,
) {
  const type = call.type ?? 'UNKNOWN';
  const approver = options.approverOf(principal);
  if (isStateCall(type)) {
    const rendering = await options.renders.render({
      key: `${type} ${mediaType} ${approver.key}`,
      version: () => options.state().version,
      start: (earlier: Remembered | undefined) =>
        stateCallDocument(type, mediaType, snapshotOf(options.state()), approver, earlier),
    });
    return options.renders.send(response, 200, { 'Content-Type': mediaType }, rendering);
  }
  const answer = responseOf(options, type, approver) ?? (await fileResponse(options, call, principal));
  if (!answer.ok) return refuse(response, answer.error);
  const body = Buffer.from(encodeAs(mediaType, MasterResponseCodec, answer.value));
  sendBody(response, 200, { 'Content-Type': mediaType }, body);
}

function responseOf(
  { state, facts, metrics, logging }: OperatorApiOptions,
  type: string,
  approver: Approver,
): Result<MasterResponse, Refusal> | undefined {
  switch (type) {
    case 'GET_HEALTH':
      return ok(responses.getHealth());
    case 'GET_VERSION':
      return ok(responses.getVersion(facts));
    case 'GET_FLAGS':
      return ok(responses.getFlags(facts));
    case 'GET_METRICS':
      return ok(responses.getMetrics(metrics()));
    case 'GET_LOGGING_LEVEL':
      return ok(responses.getLoggingLevel(logging.get()));
    case 'GET_OPERATIONS':
      return ok(responses.getOperations(state(), approver));
    case 'GET_ROLES':
      return ok(responses.rolesResponse(state(), approver));
    case 'GET_WEIGHTS':
      return ok(responses.getWeights(state(), approver));
    case 'GET_MASTER':
      return ok(responses.getMaster(state(), facts));
    case 'GET_MAINTENANCE_STATUS':
      return ok(responses.getMaintenanceStatus(state(), approver));
    case 'GET_MAINTENANCE_SCHEDULE':
      return ok(responses.getMaintenanceSchedule(state(), approver));
    case 'GET_QUOTA':
      return ok(responses.getQuota(state(), approver));
    default:
      return undefined;
  }
}

/** LIST_FILES and READ_FILE. */
async function fileResponse(
  { filesFor }: OperatorApiOptions,
  { type, list_files: list, read_file: read = { path: '', offset: 0 } }: MasterCall,
  principal: string | undefined,
): Promise<Result<MasterResponse, Refusal>> {
  const find = filesFor(principal);
  if (type === 'LIST_FILES') {
    const infos = await browse(find, list?.path ?? '');
    return infos.ok ? ok({ type, list_files: { file_infos: infos.value } }) : infos;
  }
  const part = await readPart(find, read.path, read.offset, read.length);
  if (!part.ok) return part;
  const { sizeBytes, data } = part.value;
  return ok({ type: 'READ_FILE', read_file: { size: sizeBytes, data: data.toString('base64') } });
}

function setLevel(
  logging: LoggingLevel,
  { response }: Exchange,
  { level, duration }: NonNullable<MasterCall['set_logging_level']>,
): void {
  const set = logging.set(level, Number(duration.nanoseconds) / 1e6);
  if (!set.ok) {
    refuse(response, refusal('badRequest', `Field 'set_logging_level': ${set.error}`));
    return;
  }
  sendText(response, 200);
}
