// What the agent sends, on its way: with `--credential` it authenticates with its master before it registers.
import type { Pid } from '@meseta/base';
import type { Clock, Host, Logger } from '@meseta/platform';
import { createOwnAuthentication, type OwnCredential } from '@meseta/security';
import type { LibprocessMessage } from '@meseta/wire';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import type { AgentFlags } from './flags.js';

export interface Sender {
  /** From the agent's own actor. */
  send(to: Pid, message: LibprocessMessage): void;
  /** Whether the message was to an actor that authenticates; sees those to the agent, too. */
  receive(to: string, from: Pid, message: LibprocessMessage): boolean;
  lost(address: string): void;
  close(): void;
}

export interface SenderOptions {
  readonly host: Host;
  readonly actor: string;
  readonly pid: Pid;
  readonly credential: OwnCredential | undefined;
  readonly flags: AgentFlags;
  readonly clock: Clock;
  readonly log: Logger;
  exit(status: 1, message: string): void;
}

export function createSender({ host, actor, pid, credential, flags, clock, log, exit }: SenderOptions): Sender {
  const deliver = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.send(to, from, wireName, bytes);
  };
  if (credential === undefined) {
    const send = (to: Pid, message: LibprocessMessage): void => deliver(to, actor, message);
    return { send, receive: () => false, lost: () => {}, close: () => {} };
  }
  const own = createOwnAuthentication({
    credential,
    pid,
    timeoutMinMs: flags.authentication_timeout_min,
    timeoutMaxMs: flags.authentication_timeout_max,
    backoffFactorMs: flags.authentication_backoff_factor,
    random: Math.random,
    deliver,
    refused: () => exit(1, 'the master refused the authentication: --credential names a wrong principal or secret'),
    log: (level, text) => log[level](text),
  });
  let cancel: (() => void) | undefined;
  const arm = (): void => {
    cancel?.();
    const next = own.nextMs();
    cancel =
      next === undefined
        ? undefined
        : clock.setTimer(next - clock.now().monoMs, () => {
            own.tick(clock.now().monoMs);
            arm();
          });
  };
  return {
    send(to, message) {
      own.send(to, actor, message, clock.now().monoMs);
      arm();
    },
    receive(to, from, message) {
      const taken = own.receive(to, from, message);
      arm();
      return taken;
    },
    lost: own.lost,
    close: () => cancel?.(),
  };
}
