import type { CallError } from '@meseta/api';

/**
 * The code of a rejected call.
 * `unreachable`: no master or agent answered at the address, or at any of several. `refused`: the server refused the call, with
 * a status and a text.
 * `framework`: the master ended the subscription with an ERROR event, whose text is the reason; it would refuse another one.
 * `disconnected`: the call needs a subscription, and none is open. `closed`: the client was closed.
 * `invalidResponse`: the response does not follow the API.
 */
export type MesetaErrorCode = 'unreachable' | 'refused' | 'framework' | 'disconnected' | 'closed' | 'invalidResponse';

/** The error of every call of the SDK that rejects. `message` names the call and the server. */
export class MesetaError extends Error {
  override readonly name = 'MesetaError';

  constructor(
    readonly code: MesetaErrorCode,
    message: string,
    /** The HTTP status of a refusal. */
    readonly status?: number | undefined,
  ) {
    super(message);
  }
}

/** The error of a failed call of the API binding. */
export function rejection(callType: string, error: CallError): MesetaError {
  switch (error.code) {
    case 'refused':
      return new MesetaError('refused', `${callType}: ${error.status} ${error.text}`, error.status);
    case 'unreachable':
      return new MesetaError('unreachable', `${callType}: ${error.url} did not answer (${error.text})`);
    case 'invalidResponse':
      return new MesetaError('invalidResponse', `${callType}: ${error.text}`);
  }
}

/** Whether the same call would be refused again. A 5xx is the answer of a recovering master or proxy; 408 and 429 request a retry. */
export const isFinalRefusal = (error: { readonly code: string; readonly status?: number | undefined }): boolean => {
  const { code, status = 0 } = error;
  return code === 'refused' && status < 500 && status !== 408 && status !== 429;
};
