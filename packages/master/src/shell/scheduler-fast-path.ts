// The fast path of scheduler calls, without node:http: authenticated calls on an open stream to a leading master. All other
// calls take the path of every request (http.ts), so refusals are worded in one place.
import { aliasOf, masterEndpoints, statusOf } from '@meseta/api';
import type { FastPath } from '@meseta/platform/fast-path';
import type { HttpGate } from '@meseta/security';
import type { Requests } from './requests.js';
import type { HandleCall } from './scheduler-api.js';

export interface SchedulerFastPathOptions {
  readonly gate: HttpGate;
  readonly requests: Requests;
  readonly handleCall: HandleCall;
  isLeading(): boolean;
}

const endpoint = masterEndpoints.scheduler;
export const schedulerTargets: ReadonlySet<string> = new Set([endpoint.path, aliasOf.master + endpoint.path]);

export function createSchedulerFastPath(options: SchedulerFastPathOptions): FastPath['tryHandle'] {
  const { gate, requests, handleCall, isLeading } = options;
  return ({ headers }, body, answer) => {
    const streamId = headers['mesos-stream-id'];
    if (streamId === undefined || !isLeading()) return false;
    const arrived = { method: 'POST', endpoint, rest: '', jsonp: false, certified: false, headers };
    const admitted = gate.admit(arrived, Date.now());
    if (!admitted.ok) return false;
    handleCall(
      {
        contentType: headers['content-type'],
        accept: headers['accept'],
        streamId,
        principal: admitted.value?.value,
        refuse: ({ code, text, headers: more }) => answer({ status: statusOf(code), headers: more, text }),
        addRequest: () => requests.addWithoutStream(answer),
      },
      body,
    );
    return true;
  };
}
