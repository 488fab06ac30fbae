// CRAM-MD5 over Mesos' authentication messages: agents and v0 frameworks prove to the master that they know a secret without
// sending it (RFC 2195; Mesos: docs/authentication.md). Client and server are state machines that take a message and give
// messages, and at the end the result. The caller has the timeouts, retries and addresses.
//
//   client                           server
//   AuthenticateMessage{pid}      ->
//                                 <- AuthenticationMechanismsMessage{CRAM-MD5}
//   AuthenticationStart{CRAM-MD5} ->
//                                 <- AuthenticationStep{challenge}
//   AuthenticationStep{name mac}  ->
//                                 <- AuthenticationCompleted | AuthenticationFailed
//
// A message out of turn ends the server's session with an error, as in Mesos. The client ignores it, so that a message
// which does not answer the client's last one cannot end the client's session.
import { createHmac } from 'node:crypto';
import type { LibprocessMessage } from '@meseta/wire';
import type { ClientCredential, Secrets } from './credentials.js';
import { sameSecret } from './secrets.js';

export type AuthenticationEnd =
  | { readonly kind: 'authenticated'; readonly principal: string }
  /** Authentication was rejected; do not retry. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface SessionStep {
  readonly replies: readonly LibprocessMessage[];
  /** Set on the last step: no reply follows. */
  readonly end?: AuthenticationEnd;
}

export interface CramMd5Session {
  /** The first message to the other side. */
  begin(): LibprocessMessage;
  receive(message: LibprocessMessage): SessionStep;
}

const MECHANISM = 'CRAM-MD5';
const MAX_ANSWER_BYTES = 1024;

const bytesOf = (data: string | undefined): Buffer => Buffer.from(data ?? '', 'base64');
const dataOf = (text: string): string => Buffer.from(text).toString('base64');
const macOf = (challenge: string, secret: string): string =>
  createHmac('md5', secret).update(challenge, 'latin1').digest('hex');

const IGNORED: SessionStep = { replies: [] };
const failed = (reason: string): SessionStep => ({ replies: [], end: { kind: 'failed', reason } });
const failedWithError = (error: string): SessionStep => ({
  replies: [{ name: 'AuthenticationErrorMessage', body: { error } }],
  end: { kind: 'failed', reason: error },
});

/** `<random.milliseconds@host>`: unique. */
export const challengeOf = (random: string, nowMs: number, host: string): string =>
  `<${random}.${Math.floor(nowMs)}@${host}>`;

/** `challenge` must be unique (`challengeOf`). */
export function createCramMd5Server(secrets: Secrets, challenge: string): CramMd5Session {
  let state: 'starting' | 'stepping' | 'ended' = 'starting';
  const ending = (step: SessionStep): SessionStep => {
    state = 'ended';
    return step;
  };
  return {
    begin: () => ({ name: 'AuthenticationMechanismsMessage', body: { mechanisms: [MECHANISM] } }),
    receive(message) {
      if (message.name === 'AuthenticationStartMessage') {
        const { mechanism, data } = message.body;
        if (state !== 'starting') return ending(failedWithError("unexpected authentication 'start'"));
        if (mechanism !== MECHANISM) return ending(failedWithError(`field 'mechanism': expected ${MECHANISM}`));
        if (bytesOf(data).length > 0)
          return ending(failedWithError(`field 'data': expected none, as in ${MECHANISM} the server sends first`));
        state = 'stepping';
        return { replies: [{ name: 'AuthenticationStepMessage', body: { data: dataOf(challenge) } }] };
      }
      if (message.name === 'AuthenticationStepMessage') {
        if (state !== 'stepping') return ending(failedWithError("unexpected authentication 'step'"));
        return ending(checkAnswer(secrets, challenge, bytesOf(message.body.data)));
      }
      return ending(failedWithError(`expected 'start' or 'step', got ${message.name}`));
    },
  };
}

/** The answer is `name mac`; the name may contain spaces. */
function checkAnswer(secrets: Secrets, challenge: string, answer: Buffer): SessionStep {
  const text = answer.toString('utf8');
  const space = text.lastIndexOf(' ');
  if (space <= 0 || answer.length > MAX_ANSWER_BYTES) {
    return failedWithError("field 'data': expected a principal and its answer to the challenge");
  }
  const principal = text.slice(0, space);
  const secret = secrets.get(principal);
  // Known and unknown names take the same time.
  const isCorrect = sameSecret(text.slice(space + 1), macOf(challenge, secret ?? ''));
  if (secret !== undefined && isCorrect) {
    return {
      replies: [{ name: 'AuthenticationCompletedMessage', body: {} }],
      end: { kind: 'authenticated', principal },
    };
  }
  return { replies: [{ name: 'AuthenticationFailedMessage', body: {} }], end: { kind: 'refused' } };
}

/** `pid` is the actor that authenticates: the agent's or the scheduler's. */
export function createCramMd5Client({ principal, secret }: ClientCredential, pid: string): CramMd5Session {
  let state: 'starting' | 'started' | 'stepped' | 'ended' = 'starting';
  const ending = (step: SessionStep): SessionStep => {
    state = 'ended';
    return step;
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
          // Before the client's answer there is nothing to reject.
          return state === 'stepped' ? ending({ replies: [], end: { kind: 'refused' } }) : IGNORED;
        case 'AuthenticationErrorMessage':
          return state === 'ended' ? IGNORED : ending(failed(`the master says: ${message.body.error ?? 'an error'}`));
        default:
          return IGNORED;
      }
    },
  };
}
