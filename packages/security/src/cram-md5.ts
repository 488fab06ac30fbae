// CRAM-MD5 over Mesos' authentication messages: how agents and v0 frameworks show the master that they know a secret
// without sending it (RFC 2195; Mesos: docs/authentication.md). Both sides are state machines: a message in, messages
// out, and at some point how it ended. Timeouts, retries and addresses are the caller's.
//
//   client                           server
//   AuthenticateMessage{pid}      ->
//                                 <- AuthenticationMechanismsMessage{CRAM-MD5}
//   AuthenticationStart{CRAM-MD5} ->
//                                 <- AuthenticationStep{challenge}
//   AuthenticationStep{name mac}  ->
//                                 <- AuthenticationCompleted | AuthenticationFailed
//
// What comes out of turn ends it with an error at the server, as in Mesos. The client ignores it: a message that answers
// nothing that it has said must not end it.
import { createHmac } from 'node:crypto';
import type { LibprocessMessage } from '@meseta/wire';
import type { OwnCredential, Secrets } from './credentials.js';
import { sameSecret } from './secrets.js';

export type AuthenticationEnd =
  | { readonly kind: 'authenticated'; readonly principal: string }
  /** Authentication was rejected: trying again won't help. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Exchanged {
  readonly replies: readonly LibprocessMessage[];
  /** Nothing is answered after it. */
  readonly end?: AuthenticationEnd;
}

export interface CramMd5Side {
  /** What is to be sent before the other says anything. */
  begin(): LibprocessMessage;
  receive(message: LibprocessMessage): Exchanged;
}

const MECHANISM = 'CRAM-MD5';
const MAX_ANSWER_BYTES = 1024;

const bytesOf = (data: string | undefined): Buffer => Buffer.from(data ?? '', 'base64');
const dataOf = (text: string): string => Buffer.from(text).toString('base64');
const macOf = (challenge: string, secret: string): string =>
  createHmac('md5', secret).update(challenge, 'latin1').digest('hex');

const IGNORED: Exchanged = { replies: [] };
const failed = (reason: string): Exchanged => ({ replies: [], end: { kind: 'failed', reason } });
const failedLoudly = (error: string): Exchanged => ({
  replies: [{ name: 'AuthenticationErrorMessage', body: { error } }],
  end: { kind: 'failed', reason: error },
});

/** `<random.milliseconds@host>`, each only once. */
export const challengeOf = (random: string, nowMs: number, host: string): string =>
  `<${random}.${Math.floor(nowMs)}@${host}>`;

/** `challenge` is another one each time (`challengeOf`). */
export function createCramMd5Server(secrets: Secrets, challenge: string): CramMd5Side {
  let state: 'starting' | 'stepping' | 'ended' = 'starting';
  const ending = (exchanged: Exchanged): Exchanged => {
    state = 'ended';
    return exchanged;
  };
  return {
    begin: () => ({ name: 'AuthenticationMechanismsMessage', body: { mechanisms: [MECHANISM] } }),
    receive(message) {
      if (message.name === 'AuthenticationStartMessage') {
        const { mechanism, data } = message.body;
        if (state !== 'starting') return ending(failedLoudly("unexpected authentication 'start'"));
        if (mechanism !== MECHANISM) return ending(failedLoudly(`field 'mechanism': expected ${MECHANISM}`));
        if (bytesOf(data).length > 0) return ending(failedLoudly(`field 'data': in ${MECHANISM} the server begins`));
        state = 'stepping';
        return { replies: [{ name: 'AuthenticationStepMessage', body: { data: dataOf(challenge) } }] };
      }
      if (message.name === 'AuthenticationStepMessage') {
        if (state !== 'stepping') return ending(failedLoudly("unexpected authentication 'step'"));
        return ending(checkAnswer(secrets, challenge, bytesOf(message.body.data)));
      }
      return ending(failedLoudly(`expected 'start' or 'step', got ${message.name}`));
    },
  };
}

/** `name mac`, and the name may have spaces in it. */
function checkAnswer(secrets: Secrets, challenge: string, answer: Buffer): Exchanged {
  const text = answer.toString('utf8');
  const space = text.lastIndexOf(' ');
  if (space <= 0 || answer.length > MAX_ANSWER_BYTES) {
    return failedLoudly("field 'data': expected a principal and its answer to the challenge");
  }
  const principal = text.slice(0, space);
  const secret = secrets.get(principal);
  // The same work for names that are known and names that aren't.
  const right = sameSecret(text.slice(space + 1), macOf(challenge, secret ?? ''));
  if (secret !== undefined && right) {
    return {
      replies: [{ name: 'AuthenticationCompletedMessage', body: {} }],
      end: { kind: 'authenticated', principal },
    };
  }
  return { replies: [{ name: 'AuthenticationFailedMessage', body: {} }], end: { kind: 'refused' } };
}

/** `pid` is the actor that is to count as authenticated: the agent's, the scheduler's. */
export function createCramMd5Client({ principal, secret }: OwnCredential, pid: string): CramMd5Side {
  let state: 'starting' | 'started' | 'stepped' | 'ended' = 'starting';
  const ending = (exchanged: Exchanged): Exchanged => {
    state = 'ended';
    return exchanged;
  };
  return {
    begin: () => ({ name: 'AuthenticateMessage', body: { pid } }),
    receive(message) {
      switch (message.name) {
        case 'AuthenticationMechanismsMessage': {
          const offered = message.body.mechanisms ?? [];
          if (state !== 'starting') return IGNORED;
          if (!offered.includes(MECHANISM)) return ending(failed(`the master offers ${offered.join(', ')} only`));
          state = 'started';
          return { replies: [{ name: 'AuthenticationStartMessage', body: { mechanism: MECHANISM, data: '' } }] };
        }
        case 'AuthenticationStepMessage': {
          if (state !== 'started') return IGNORED;
          state = 'stepped';
          const answer = `${principal} ${macOf(bytesOf(message.body.data).toString('latin1'), secret)}`;
          return { replies: [{ name: 'AuthenticationStepMessage', body: { data: dataOf(answer) } }] };
        }
        case 'AuthenticationCompletedMessage':
          if (state !== 'stepped') return IGNORED;
          return ending({ replies: [], end: { kind: 'authenticated', principal } });
        case 'AuthenticationFailedMessage':
          // Before an answer was given there was nothing to reject.
          return state === 'stepped' ? ending({ replies: [], end: { kind: 'refused' } }) : IGNORED;
        case 'AuthenticationErrorMessage':
          return state === 'ended' ? IGNORED : ending(failed(`the master says: ${message.body.error ?? 'an error'}`));
        default:
          return IGNORED;
      }
    },
  };
}
