// Sends the agent's messages. With `--credential` it authenticates with its master before it registers.
import { randomBytes } from 'node:crypto';
import type { Clock, Pid } from '@meseta/base';
import type { Host, Logger } from '@meseta/platform';
import { type ClientCredential, createAuthenticatee } from '@meseta/security';
import type { LibprocessMessage } from '@meseta/wire';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import type { AgentFlags } from './flags.js';

export interface Sender {
  /** From the agent's own actor. */
  send(to: Pid, message: LibprocessMessage): void;
  /** Returns whether the message belongs to the authentication. Called for messages to the agent too. */
  receive(to: string, from: Pid, message: LibprocessMessage, connection: number): boolean;
  /** Whether the incoming connection is proven to be the master's. Without a credential every connection is accepted. */
  isMasterConnection(connection: number, master: Pid): boolean;
  /** Authenticates again, which proves one connection to be the master's. */
  requestProof(master: Pid): void;
  peerLost(address: string): void;
  connectionClosed(connection: number): void;
  close(): void;
}

export interface SenderOptions {
  readonly host: Host;
  readonly actor: string;
  readonly pid: Pid;
  readonly credential: ClientCredential | undefined;
  readonly flags: AgentFlags;
  readonly clock: Clock;
  readonly log: Logger;
  exit(status: 1, message: string): void;
  /** The connection is proven to be the master's. */
  proven(connection: number): void;
}

export function createSender(options: SenderOptions): Sender {
  const { host, actor, pid, credential, flags, clock, log, exit, proven } = options;
  const deliver = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.send(to, from, wireName, bytes);
  };
  if (credential === undefined) {
    const send = (to: Pid, message: LibprocessMessage): void => deliver(to, actor, message);
    const ignore = (): void => {};
    return {
      send,
      receive: () => false,
      isMasterConnection: () => true,
      requestProof: ignore,
      peerLost: ignore,
      connectionClosed: ignore,
      close: ignore,
    };
  }
  const authenticatee = createAuthenticatee({
    credential,
    pid,
    timeoutMinMs: flags.authentication_timeout_min,
    timeoutMaxMs: flags.authentication_timeout_max,
    backoffFactorMs: flags.authentication_backoff_factor,
    random: Math.random,
    createSessionId: () => randomBytes(16).toString('hex'),
    connectionProven: proven,
    deliver,
    refused: () => exit(1, 'the master refused the authentication: --credential names a wrong principal or secret'),
    log: (level, text) => log[level](text),
  });
  let cancel: (() => void) | undefined;
  const scheduleTick = (): void => {
    cancel?.();
    const next = authenticatee.nextMs();
    cancel =
      next === undefined
        ? undefined
        : clock.setTimer(next - clock.now().monoMs, () => {
            authenticatee.tick(clock.now().monoMs);
            scheduleTick();
          });
  };
  return {
    send(to, message) {
      authenticatee.send(to, actor, message, clock.now().monoMs);
      scheduleTick();
    },
    receive(to, from, message, connection) {
      const isHandled = authenticatee.receive(to, from, message, connection);
      scheduleTick();
      return isHandled;
    },
    isMasterConnection: authenticatee.isMasterConnection,
    requestProof(master) {
      authenticatee.requestProof(master, clock.now().monoMs);
      scheduleTick();
    },
    peerLost: authenticatee.peerLost,
    connectionClosed: authenticatee.connectionClosed,
    close: () => cancel?.(),
  };
}
