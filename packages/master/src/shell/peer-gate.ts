// Libprocess messages before the core sees them: who sends a registration (CRAM-MD5), and how many messages a second a
// driver may send (behaviours.md 17).
//
// E1: the core sees a registration only with its sender's principal settled: authenticated where that is asked for, and
//     the same that a framework names.
// E2: what a driver's connection carried and its end keep their order, limited or not.
import { randomBytes } from 'node:crypto';
import { err, ok, type Pid, parsePid, type Result, smallest } from '@meseta/base';
import type { Clock, Host, Logger, PeerMessage } from '@meseta/platform';
import { createPeerAuthentication, createThrottle, type Throttle } from '@meseta/security';
import { type FrameworkInfo, type LibprocessMessage, renderWireError } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { callOfDriver } from '../core/driver-calls.js';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { PeerSecurity } from './security.js';

export interface PeerGateOptions {
  readonly security: PeerSecurity;
  readonly state: MasterState;
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Logger;
  push(input: MasterInput): void;
}

export interface PeerGate {
  receive(message: PeerMessage): 'accepted' | 'unknown';
  peerLost(address: string): void;
  close(): void;
}

interface Arrived {
  readonly from: Pid;
  readonly message: LibprocessMessage;
}

type Held =
  | { readonly kind: 'message'; readonly arrived: Arrived }
  | { readonly kind: 'lost'; readonly address: string };

const isAgent = ({ name }: LibprocessMessage): boolean =>
  name === 'RegisterAgentMessage' || name === 'ReregisterAgentMessage';
const frameworkIn = (message: LibprocessMessage): FrameworkInfo | undefined =>
  message.name === 'SchedulerCall' ? message.body.subscribe?.framework_info : undefined;

/** The driver's SUBSCRIBE with the principal that it has shown to be. */
const withPrincipal = (message: LibprocessMessage, principal: string): LibprocessMessage =>
  message.name === 'SchedulerCall' && message.body.subscribe !== undefined
    ? {
        ...message,
        body: {
          ...message.body,
          subscribe: {
            ...message.body.subscribe,
            framework_info: { ...message.body.subscribe.framework_info, principal },
          },
        },
      }
    : message;

/** E1: the registration as the core is to see it, or why it isn't to. */
function checkSender(
  { authenticateAgents, authenticateFrameworks }: PeerSecurity,
  { from, message }: Arrived,
  principal: string | undefined,
): Result<LibprocessMessage, string> {
  const asked = isAgent(message) ? authenticateAgents : authenticateFrameworks;
  if (principal === undefined) return asked ? err(`${from} is not authenticated`) : ok(message);
  const named = frameworkIn(message)?.principal;
  return named === undefined || named === principal
    ? ok(withPrincipal(message, principal))
    : err(
        `Field 'framework_info.principal': expected the authenticated principal ${JSON.stringify(principal)}, got ${JSON.stringify(named)}`,
      );
}

export function createPeerGate(options: PeerGateOptions): PeerGate {
  const { security, state, host, clock, log, push } = options;
  const send = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.send(to, from, wireName, bytes);
  };
  const fail = (to: Pid, message: string): void =>
    send(to, 'master', { name: 'FrameworkErrorMessage', body: { message } });
  const authentication = createPeerAuthentication<Arrived>({
    secrets: security.secrets,
    timeoutMs: security.authenticationTimeoutMs,
    host: host.address,
    random: () => randomBytes(16).toString('hex'),
    send,
    link: host.link,
    resume: (arrived) => settle(arrived),
    log: (level, text) => log[level](text),
  });
  const throttle: Throttle<Held> | undefined = security.limits && createThrottle<Held>(security.limits);
  const wake = createWake(clock, [authentication.nextMs, () => throttle?.nextMs()], (nowMs) => {
    authentication.tick(nowMs);
    for (const held of throttle?.take(nowMs) ?? []) {
      if (held.kind === 'message') settle(held.arrived);
      else push({ kind: 'peerLost', address: held.address });
    }
  });

  /** Works on a message whose turn it is. */
  function settle(arrived: Arrived): void {
    const { from, message } = arrived;
    if (message.name === 'AuthenticateMessage') authentication.begin(from, message.body.pid as Pid, clock.now().monoMs);
    const registers = isAgent(message) || frameworkIn(message) !== undefined;
    const admitted = registers ? authentication.admit(from, arrived) : { principal: undefined };
    if (admitted === 'waiting') return;
    const checked = registers ? checkSender(security, arrived, admitted.principal) : ok(message);
    if (checked.ok) push({ kind: 'message', from, message: checked.value, principal: admitted.principal });
    else if (isAgent(message)) log.warning(`ignoring the registration of an agent at ${from}: ${checked.error}`);
    else fail(from, checked.error);
  }

  const driverAt = (pid: Pid) => registeredDriver(state, pid);

  return {
    receive({ to, from, wireName, body }) {
      const session = to.startsWith('crammd5-authenticator-session(');
      if (to !== 'master' && !to.startsWith('slave-observer(') && !session) return 'unknown';
      const decoded = decodeMessage(wireName, body);
      if (!decoded.ok) {
        log.warning(`message from ${from}: ${renderWireError(decoded.error)}`);
        return 'accepted';
      }
      const said = callOfDriver(decoded.value);
      if (!said.ok) {
        fail(from, said.error);
        return 'accepted';
      }
      const arrived = { from, message: said.value };
      if (session) {
        const known = authentication.receive(to, from, decoded.value);
        wake();
        return known ? 'accepted' : 'unknown';
      }
      const driver = throttle && driverAt(from);
      const offered =
        driver && throttle?.offer({ kind: 'message', arrived }, driver.principal, true, clock.now().monoMs);
      if (offered?.kind === 'overCapacity') {
        log.warning(`dropped ${wireName} of ${from}: more than ${offered.capacity} messages wait`);
        fail(from, `Message ${wireName} dropped: capacity(${offered.capacity}) exceeded`);
      } else if (offered?.kind !== 'held') settle(arrived);
      wake();
      return 'accepted';
    },
    peerLost(address) {
      authentication.lost(address);
      const driver = throttle && driverOn(address, state, driverAt);
      const offered = driver && throttle?.offer({ kind: 'lost', address }, driver.principal, false, clock.now().monoMs);
      if (offered?.kind !== 'held') push({ kind: 'peerLost', address });
      wake();
    },
    close: () => wake.cancel(),
  };
}

/** Undefined: no registered driver. */
function registeredDriver(state: MasterState, pid: Pid) {
  const id = state.frameworkByPid.get(pid);
  return id === undefined ? undefined : state.frameworks.get(id);
}

function driverOn<T>(address: string, state: MasterState, driverAt: (pid: Pid) => T | undefined): T | undefined {
  for (const pid of state.frameworkByPid.keys()) {
    const parts = parsePid(pid);
    if (parts.ok && parts.value.address === address) return driverAt(pid);
  }
  return undefined;
}

/** One timer for the earliest of several deadlines. Called whenever one of them may have moved. */
function createWake(
  clock: Clock,
  deadlines: readonly (() => number | undefined)[],
  due: (nowMs: number) => void,
): (() => void) & { cancel(): void } {
  let cancel: (() => void) | undefined;
  const arm = (): void => {
    cancel?.();
    const next = smallest(deadlines.map((deadline) => deadline() ?? Number.POSITIVE_INFINITY));
    if (next === Number.POSITIVE_INFINITY) {
      cancel = undefined;
      return;
    }
    cancel = clock.setTimer(next - clock.now().monoMs, () => {
      cancel = undefined;
      due(clock.now().monoMs);
      arm();
    });
  };
  return Object.assign(arm, { cancel: () => cancel?.() });
}
