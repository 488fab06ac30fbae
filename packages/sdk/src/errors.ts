import type { CallError } from '@meseta/api';

/**
 * What a client's promise is rejected with.
 * `unreachable`: no master answered at any of the addresses. `refused`: a master said no, with its status and text.
 * `framework`: the master ended the subscription with an ERROR event (its text says why; subscribing again is useless).
 * `disconnected`: the call needs a subscription and there is none at the moment. `closed`: the client was closed.
 * `invalidResponse`: the response does not follow the API.
 */
export type MesetaErrorCode = 'unreachable' | 'refused' | 'framework' | 'disconnected' | 'closed' | 'invalidResponse';

export class MesetaError extends Error {
  override readonly name = 'MesetaError';

  constructor(
    readonly code: MesetaErrorCode,
    message: string,
    /** The HTTP status if a master answered. */
    readonly status?: number | undefined,
  ) {
    super(message);
  }
}

/** The error of a failed call of the API binding. */
export function rejection(what: string, error: CallError): MesetaError {
  switch (error.code) {
    case 'refused':
      return new MesetaError('refused', `${what}: ${error.status} ${error.text}`, error.status);
    case 'unreachable':
      return new MesetaError('unreachable', `${what}: ${error.url} did not answer (${error.text})`);
    case 'invalidResponse':
      return new MesetaError('invalidResponse', `${what}: ${error.text}`);
  }
}
