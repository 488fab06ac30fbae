// Libprocess messages before the core sees them: who sends a registration (CRAM-MD5), and how many messages a second a
// driver may send.
//
// PEER-GATE-1: the core sees a registration only with its sender's principal settled: authenticated where that is asked for,
//     and the same that a framework names.
// PEER-GATE-2: what a driver's connection carried and its end keep their order, limited or not.
// PEER-GATE-3: when the last connection closes on which a registered peer had authenticated, it counts as lost: over another
//     one its messages are nobody's, so it has to authenticate and register again.
// Who may send what: peer-identity.ts.
import { randomBytes } from 'node:crypto';
import { addressOfPid, type Clock, err, ok, type Pid, type Result, smallest } from '@meseta/base';
import type { Host, Logger, PeerConnection, PeerMessage } from '@meseta/platform';
import { type Authenticator, createAuthenticator, createThrottle, type Throttle } from '@meseta/security';
import { type FrameworkInfo, type LibprocessMessage, renderWireError } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { callOfDriver } from '../core/driver-calls.js';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { createMessageCounters } from './message-counters.js';
import { type Arrived, createPeerIdentity, isAgentRegistration, type PeerIdentity } from './peer-identity.js';
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
  onMessage(message: PeerMessage): 'accepted' | 'registered' | 'unknown';
  onPeerLost(address: string): void;
  onConnectionClosed(connection: PeerConnection): void;
  /** Metrics of dropped messages and of drivers' messages, by name. */
  counters(): ReadonlyMap<string, number>;
  close(): void;
}

const COUNTERS = ['meseta/unauthenticated_messages', 'meseta/agents_over_address_limit'] as const;

type Held =
  | { readonly kind: 'message'; readonly arrived: Arrived }
  | { readonly kind: 'lost'; readonly address: string };

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

/** PEER-GATE-1: the registration as the core is to see it, or why it isn't to. */
function checkSender(
  { authenticateAgents, authenticateFrameworks }: PeerSecurity,
  { from, message }: Arrived,
  principal: string | undefined,
): Result<LibprocessMessage, string> {
  const asked = isAgentRegistration(message) ? authenticateAgents : authenticateFrameworks;
  if (principal === undefined) return asked ? err(`${from} is not authenticated`) : ok(message);
  const named = frameworkIn(message)?.principal;
  return named === undefined || named === principal
    ? ok(withPrincipal(message, principal))
    : err(
        `Field 'framework_info.principal': expected the authenticated principal ${JSON.stringify(principal)}, got ${JSON.stringify(named)}`,
      );
}

/** Counts what is dropped, and logs the first of a flood: of messages that are dropped and of those that can't be decoded. */
function createDrops(log: Logger) {
  const counters = new Map<string, number>(COUNTERS.map((name) => [name, 0]));
  const warn = (kind: string, text: string): void => log.limited('warning', kind, text);
  return {
    counters,
    warn,
    drop(metric: (typeof COUNTERS)[number], from: Pid, why: string): void {
      counters.set(metric, (counters.get(metric) ?? 0) + 1);
      warn(metric, `dropped a message of ${from}: ${why}`);
    },
  };
}

type Drop = ReturnType<typeof createDrops>['drop'];

/** PEER-GATE-2: `work` is done now or, where the sender's rate is limited, when its turn has come. */
function createTurns({ security, state, clock, log }: PeerGateOptions, work: (held: Held) => void) {
  const throttle: Throttle<Held> | undefined = security.limits && createThrottle<Held>(security.limits);
  const driverAt = (pid: Pid) => registeredDriver(state, pid);
  return {
    nextMs: () => throttle?.nextMs(),
    tick: (nowMs: number): void => throttle?.take(nowMs).forEach(work),
    lost(address: string): void {
      const driver = throttle && driverOn(address, state, driverAt);
      const held = { kind: 'lost', address } as const;
      const offered = driver && throttle?.offer(held, driver.principal, false, clock.now().monoMs);
      if (offered?.kind !== 'queued') work(held);
    },
    /** The error is for the sender. */
    take(arrived: Arrived, wireName: string): string | undefined {
      const driver = throttle && driverAt(arrived.from);
      const held = { kind: 'message', arrived } as const;
      const offered = driver && throttle?.offer(held, driver.principal, true, clock.now().monoMs);
      if (offered?.kind === 'overCapacity') {
        const text = `dropped ${wireName} of ${arrived.from}: more than ${offered.capacity} messages wait`;
        log.limited('warning', 'overCapacity', text);
        return `Message ${wireName} dropped: capacity(${offered.capacity}) exceeded`;
      }
      if (offered?.kind !== 'queued') work(held);
      return undefined;
    },
  };
}

interface Settling {
  readonly options: PeerGateOptions;
  readonly authentication: Authenticator<Arrived>;
  readonly identity: PeerIdentity;
  readonly drop: Drop;
  fail(arrived: Arrived, message: string): void;
}

/** Works on a message whose turn it is. */
function settle({ options, authentication, identity, drop, fail }: Settling, arrived: Arrived): void {
  const { security, clock, push } = options;
  const { from, message, connection } = arrived;
  const sender = { from, connection: connection.id };
  if (message.name === 'AuthenticateMessage') {
    const { pid } = message.body;
    const begun = authentication.begin(sender, pid as Pid, clock.now().monoMs);
    if (!begun)
      return drop(
        'meseta/unauthenticated_messages',
        from,
        `it may not authenticate ${pid}, which is elsewhere, or too many others at once`,
      );
  }
  const registers = isAgentRegistration(message) || frameworkIn(message) !== undefined;
  const admitted = registers ? authentication.admit(sender, arrived) : { principal: undefined };
  if (admitted === 'waiting') return;
  const checked = registers ? checkSender(security, arrived, admitted.principal) : ok(message);
  if (checked.ok && !identity.mayRegister(arrived)) {
    const most = security.maxAgentsPerAddress;
    const why = `${most} agents are registered from ${connection.ip}; --max_agents_per_address allows more`;
    drop('meseta/agents_over_address_limit', from, why);
  } else if (checked.ok) push({ kind: 'message', from, message: checked.value, principal: admitted.principal });
  else if (isAgentRegistration(message)) drop('meseta/unauthenticated_messages', from, checked.error);
  else fail(arrived, checked.error);
}

export function createPeerGate(options: PeerGateOptions): PeerGate {
  const { security, state, host, clock, log, push } = options;
  const { counters, warn, drop } = createDrops(log);
  const send = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.send(to, from, wireName, bytes);
  };
  const authentication = createAuthenticator<Arrived>({
    secrets: security.secrets,
    timeoutMs: security.authenticationTimeoutMs,
    host: host.address,
    random: () => randomBytes(16).toString('hex'),
    send,
    resume: (arrived) => settle(settling, arrived),
    log: (level, text) => log.limited(level, 'authentication', text),
  });
  const identity = createPeerIdentity(security, state, authentication);
  const fail = (arrived: Arrived, message: string): void => {
    if (identity.mayBeAnswered(arrived)) {
      send(arrived.from, 'master', { name: 'FrameworkErrorMessage', body: { message } });
    } else drop('meseta/unauthenticated_messages', arrived.from, message);
  };
  const settling: Settling = { options, authentication, identity, drop, fail };
  const messages = createMessageCounters(state);
  const turns = createTurns(options, (held) => {
    if (held.kind === 'lost') return push({ kind: 'peerLost', address: held.address });
    const countProcessed = messages.beginProcessing(held.arrived.from);
    settle(settling, held.arrived);
    countProcessed();
  });
  const wake = createWake(clock, [authentication.nextMs, turns.nextMs], (nowMs) => {
    authentication.tick(nowMs);
    turns.tick(nowMs);
  });
  const lost = (address: string): void => {
    turns.lost(address);
    wake();
  };

  return {
    onMessage({ to, from, wireName, body, connection }) {
      const session = to.startsWith('crammd5-authenticator-session(');
      if (to !== 'master' && !to.startsWith('slave-observer(') && !session) return 'unknown';
      const decoded = decodeMessage(wireName, body);
      if (!decoded.ok) {
        warn('undecodable', `message from ${from}: ${renderWireError(decoded.error)}`);
        return 'accepted';
      }
      if (session) {
        const known = authentication.receive(to, { from, connection: connection.id }, decoded.value);
        wake();
        return known ? 'accepted' : 'unknown';
      }
      const said = callOfDriver(decoded.value);
      const arrived = { from, message: said.ok ? said.value : decoded.value, connection };
      if (!identity.mayReachCore(arrived)) {
        drop('meseta/unauthenticated_messages', from, `it has not authenticated where ${wireName} came from`);
        return 'accepted';
      }
      messages.countReceived(from);
      const error = said.ok ? turns.take(arrived, wireName) : said.error;
      if (error !== undefined) fail(arrived, error);
      wake();
      return identity.isRegisteredOn(arrived) ? 'registered' : 'accepted';
    },
    onPeerLost: lost,
    onConnectionClosed({ id }) {
      const gone = authentication.connectionClosed(id).filter(identity.isRegistered);
      for (const address of new Set(gone.map(addressOfPid))) lost(address);
    },
    counters: () => new Map([...counters, ...messages.metrics()]),
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
    if (addressOfPid(pid) === address) return driverAt(pid);
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
