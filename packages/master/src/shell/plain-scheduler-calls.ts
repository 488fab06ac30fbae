// Scheduler calls that need not go through node:http: those of a stream that is open, to a master that leads, by somebody
// who may. All others are answered where every request is (http.ts), so that what is refused has one wording.
import { aliasOf, masterEndpoints, statusOf } from '@meseta/api';
import type { PlainCalls } from '@meseta/platform/plain-calls';
import type { HttpGate } from '@meseta/security';
import type { Standing } from './http.js';
import type { Requests } from './requests.js';
import type { TakeCall } from './scheduler-api.js';

export interface PlainSchedulerCallsOptions {
  readonly gate: HttpGate;
  readonly requests: Requests;
  readonly take: TakeCall;
  standing(): Standing;
}

const endpoint = masterEndpoints.scheduler;
export const schedulerTargets: ReadonlySet<string> = new Set([endpoint.path, aliasOf.master + endpoint.path]);

export function createPlainSchedulerCalls(options: PlainSchedulerCallsOptions): PlainCalls['take'] {
  const { gate, requests, take, standing } = options;
  return ({ headers }, body, answer) => {
    const streamId = headers['mesos-stream-id'];
    if (streamId === undefined || standing().kind !== 'leading') return false;
    const arrived = { method: 'POST', endpoint, rest: '', jsonp: false, certified: false, headers };
    const admitted = gate.admit(arrived, Date.now());
    if (!admitted.ok) return false;
    take(
      {
        contentType: headers['content-type'],
        accept: headers['accept'],
        streamId,
        principal: admitted.value?.value,
        refuse: ({ code, text, headers: more }) => answer({ status: statusOf(code), headers: more, text }),
        await: () => requests.awaitReply(answer),
      },
      body,
    );
    return true;
  };
}
