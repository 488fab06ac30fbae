// Meseta's own endpoints (packages/api/src/extensions.ts).
import {
  bodyText,
  ExplainRequestCodec,
  ExplanationCodec,
  type KillTaskRequest,
  KillTaskRequestCodec,
  type Refusal,
  refusal,
} from '@meseta/api';
import { type Clock, err, type Result } from '@meseta/base';
import type { BodyReader } from '@meseta/platform';
import { refuse, sendJson } from '@meseta/platform/responses';
import { bodyType, JSON_TYPE } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { explain } from '../views/explain.js';
import type { ApproverOf } from './approver-of.js';
import { type Exchange, header, readBody } from './exchange.js';
import type { Requests } from './requests.js';

export interface ExtensionsOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly clock: Clock;
  readonly approverOf: ApproverOf;
  state(): MasterState;
  push(input: MasterInput): void;
}

export function createExtensions({ bodies, requests, clock, approverOf, state, push }: ExtensionsOptions) {
  return {
    async killTask(exchange: Exchange): Promise<void> {
      const { response, principal } = exchange;
      const body = await readBody(bodies, exchange);
      if (body === undefined) return;
      const read = readKillTask(header(exchange, 'content-type'), body);
      if (!read.ok) return refuse(response, read.error);
      const { framework_id: frameworkId, ...kill } = read.value;
      push({ kind: 'killTask', request: requests.add(response, JSON_TYPE), principal, frameworkId, kill });
    },
    explain(exchange: Exchange): void {
      const { response, query, principal } = exchange;
      const read = ExplainRequestCodec.parse(query);
      if (!read.ok) return refuse(response, refusal('badRequest', read.error));
      const answer = explain(state(), read.value, approverOf(principal), clock.now());
      if (!answer.ok) return refuse(response, refusal('notFound', answer.error));
      sendJson(exchange, ExplanationCodec.write(answer.value));
    },
  };
}

function readKillTask(contentType: string | undefined, body: Uint8Array): Result<KillTaskRequest, Refusal> {
  if (bodyType(contentType ?? '') !== JSON_TYPE) {
    return err(refusal('unsupportedMediaType', `Header 'Content-Type': expected ${JSON_TYPE}`));
  }
  const text = bodyText(body);
  if (!text.ok) return text;
  const request = KillTaskRequestCodec.parse(text.value);
  return request.ok ? request : err(refusal('badRequest', request.error));
}
