// Meseta's own endpoints (packages/api/src/extensions.ts): JSON in, JSON out.
import { bodyText, type KillTaskRequest, type Refusal, refusal } from '@meseta/api';
import { type Clock, err, ok, type Result } from '@meseta/base';
import type { BodyReader } from '@meseta/platform';
import { answerJson, answerText, refuse } from '@meseta/platform/answers';
import { renderWireError, type SchedulerCallKill } from '@meseta/wire';
import { FrameworkIDCodec, SchedulerCallKillCodec } from '@meseta/wire/codecs';
import { parseExactJson } from '@meseta/wire/json-parser';
import { bodyType, JSON_TYPE } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { explain } from '../views/explain.js';
import { type Exchange, header } from './exchange.js';
import type { Requests } from './requests.js';
import type { ViewerOf } from './viewer.js';

export interface ExtensionsOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  readonly clock: Clock;
  readonly viewerOf: ViewerOf;
  state(): MasterState;
  push(input: MasterInput): void;
}

export function createExtensions({ bodies, requests, clock, viewerOf, state, push }: ExtensionsOptions) {
  return {
    async killTask(exchange: Exchange): Promise<void> {
      const { request, response, principal } = exchange;
      const body = await bodies.read(request);
      if (!body.ok) return answerText(response, body.error.status, body.error.message, { Connection: 'close' });
      const asked = readKill(header(exchange, 'content-type'), body.value);
      if (!asked.ok) return refuse(response, asked.error);
      push({ kind: 'killTask', request: requests.await(response, JSON_TYPE), principal, ...asked.value });
    },
    explain(exchange: Exchange): void {
      const { response, query, principal } = exchange;
      const given = (name: string): string | undefined => query.get(name) || undefined;
      const asked = {
        frameworkId: given('framework_id'),
        agentId: given('agent_id'),
        role: given('role'),
        taskId: given('task_id'),
      };
      if (asked.frameworkId === undefined && asked.taskId === undefined) {
        return refuse(response, refusal('badRequest', "Parameter 'framework_id' or 'task_id': one is required"));
      }
      const answer = explain(state(), asked, viewerOf(principal), clock.now());
      if (!answer.ok) return refuse(response, refusal('notFound', answer.error));
      answerJson(exchange, JSON.stringify(answer.value));
    },
  };
}

type Kill = Pick<Extract<MasterInput, { readonly kind: 'killTask' }>, 'frameworkId' | 'kill'>;

/** The fields are Mesos' own, so its codecs read them. */
function readKill(contentType: string | undefined, body: Uint8Array): Result<Kill, Refusal> {
  if (bodyType(contentType ?? '') !== JSON_TYPE) {
    return err(refusal('unsupportedMediaType', `Header 'Content-Type': expected ${JSON_TYPE}`));
  }
  const bad = (text: string) => err(refusal('badRequest', text));
  const text = bodyText(body);
  if (!text.ok) return text;
  const parsed = parseExactJson(text.value);
  const json = parsed.ok ? parsed.value : undefined;
  if (typeof json !== 'object' || json === null) return bad('Body: expected a JSON object');
  const { framework_id, task_id, kill_policy } = json as Partial<KillTaskRequest>;
  if (framework_id === undefined) return bad("Field 'framework_id' is required but missing");
  const frameworkId = FrameworkIDCodec.read(framework_id);
  if (!frameworkId.ok) return bad(`framework_id: ${renderWireError(frameworkId.error)}`);
  const kill = SchedulerCallKillCodec.read({ task_id, ...(kill_policy === undefined ? {} : { kill_policy }) });
  if (!kill.ok) return bad(renderWireError(kill.error));
  const { value }: { readonly value: SchedulerCallKill } = kill;
  return ok({ frameworkId: frameworkId.value, kill: value });
}
