// Checks libprocess messages before they reach the core: the sender's authentication (CRAM-MD5) and the rate limits of
// drivers. peer-identity.ts decides what a sender may send.
//
// PEER-GATE-1: the core gets a registration only when the sender's principal is known: it has authenticated if it must, and
//     a framework's info names the same principal.
// PEER-GATE-2: the messages of a driver and the loss of its connection stay in order, with and without a rate limit, also
//     if drivers with different limits share an address.
// PEER-GATE-3: when the last connection closes on which a registered peer has authenticated, the peer is lost. It must
//     authenticate and register again, because its messages on other connections are not accepted.
import { randomBytes } from 'node:crypto';
import { addressOfPid, type Clock, err, ok, type Pid, quoted, type Result, smallest } from '@meseta/base';
import type { Host, Logger, PeerConnection, PeerMessage } from '@meseta/platform';
import { type Authenticator, createAuthenticator, createThrottle, type Throttle } from '@meseta/security';
import { type FrameworkInfo, type LibprocessMessage, renderWireError } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { callOfDriver } from '../core/driver-calls.js';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { createMessageCounters } from './message-counters.js';
import { createPeerIdentity, isAgentRegistration, type PeerIdentity, type ReceivedMessage } from './peer-identity.js';
import type { PeerSecurity } from './security.js';

export interface PeerGateOptions {
  readonly security: PeerSecurity;
  readonly state: MasterState;
  readonly host: Pick<Host, 'address' | 'send'>;
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

/** What waits for the rate limit of a driver. */
type QueuedInput =
  | { readonly kind: 'message'; readonly received: ReceivedMessage }
  | { readonly kind: 'lost'; readonly address: string; readonly pid?: Pid };

const frameworkIn = (message: LibprocessMessage): FrameworkInfo | undefined =>
  message.name === 'SchedulerCall' ? message.body.subscribe?.framework_info : undefined;

/** The driver's SUBSCRIBE with its authenticated principal. */
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

/** PEER-GATE-1: the registration for the core, or the reason to refuse it. */
function checkSender(
  { authenticateAgents, authenticateFrameworks }: PeerSecurity,
  { from, message }: ReceivedMessage,
  principal: string | undefined,
): Result<LibprocessMessage, string> {
  const isRequired = isAgentRegistration(message) ? authenticateAgents : authenticateFrameworks;
  if (principal === undefined) return isRequired ? err(`${from} is not authenticated`) : ok(message);
  const named = frameworkIn(message)?.principal;
  return named === undefined || named === principal
    ? ok(withPrincipal(message, principal))
    : err(
        `Field 'framework_info.principal': expected the authenticated principal ${quoted(principal)}, got ${quoted(named)}`,
      );
}

/** Counts dropped messages. Dropped and undecodable messages are logged at a limited rate. */
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

/** PEER-GATE-2: `process` is called at once or, if the sender's rate is limited, when the limit allows. */
function createRateLimitQueue({ security, state, clock, log }: PeerGateOptions, process: (input: QueuedInput) => void) {
  const throttle: Throttle<QueuedInput> | undefined = security.limits && createThrottle<QueuedInput>(security.limits);
  const driverAt = (pid: Pid) => registeredDriver(state, pid);
  return {
    nextMs: () => throttle?.nextMs(),
    tick: (nowMs: number): void => throttle?.take(nowMs).forEach(process),
    enqueueLoss(address: string): void {
      if (throttle === undefined) return process({ kind: 'lost', address });
      // The drivers at an address may have different limits. Each is lost after its own messages.
      for (const pid of [...(state.links.get(address) ?? [])]) {
        const input = { kind: 'lost', address, pid } as const;
        const driver = driverAt(pid);
        const offered = driver && throttle.offer(input, driver.principal, false, clock.now().monoMs);
        if (offered?.kind !== 'queued') process(input);
      }
    },
    /** Returns the error for the sender if the queue is full. */
    enqueue(received: ReceivedMessage, wireName: string): string | undefined {
      const driver = throttle && driverAt(received.from);
      const input = { kind: 'message', received } as const;
      const offered = driver && throttle?.offer(input, driver.principal, true, clock.now().monoMs);
      if (offered?.kind === 'overCapacity') {
        const text = `dropped ${wireName} of ${received.from}: more than ${offered.capacity} messages wait`;
        log.limited('warning', 'overCapacity', text);
        return `Message ${wireName} dropped: capacity(${offered.capacity}) exceeded`;
      }
      if (offered?.kind !== 'queued') process(input);
      return undefined;
    },
  };
}

/** A registration that waits for an authentication, encoded: the decoded message can take a hundred times its bytes. */
interface WaitingRegistration extends Omit<ReceivedMessage, 'message'> {
  readonly wireName: string;
  readonly bytes: Uint8Array;
}

interface AdmissionContext {
  readonly options: PeerGateOptions;
  readonly authentication: Authenticator<WaitingRegistration>;
  readonly identity: PeerIdentity;
  readonly drop: Drop;
  fail(received: ReceivedMessage, message: string): void;
}

/** Passes a message to the core, holds it until its sender has authenticated, or refuses it. */
function admitMessage(
  { options, authentication, identity, drop, fail }: AdmissionContext,
  received: ReceivedMessage,
): void {
  const { security, clock, push } = options;
  const { from, message, connection } = received;
  const sender = { from, connection: connection.id };
  if (message.name === 'AuthenticateMessage') {
    const { pid } = message.body;
    const begun = authentication.begin(sender, pid as Pid, clock.now().monoMs);
    if (!begun)
      return drop(
        'meseta/unauthenticated_messages',
        from,
        `it may not authenticate ${pid}: that pid has another address, or too many authentications are under way`,
      );
  }
  const registers = isAgentRegistration(message) || frameworkIn(message) !== undefined;
  const admitted = registers
    ? authentication.admit(sender, () => ({ from, connection, ...encodeMessage(message) }))
    : { principal: undefined };
  if (admitted === 'waiting') return;
  const checked = registers ? checkSender(security, received, admitted.principal) : ok(message);
  if (checked.ok && !identity.mayRegister(received)) {
    const most = security.maxAgentsPerAddress;
    const why = `${most} agents are registered from ${connection.ip}; --max_agents_per_address allows more`;
    drop('meseta/agents_over_address_limit', from, why);
  } else if (checked.ok) push({ kind: 'message', from, message: checked.value, principal: admitted.principal });
  else if (isAgentRegistration(message)) drop('meseta/unauthenticated_messages', from, checked.error);
  else fail(received, checked.error);
}

export function createPeerGate(options: PeerGateOptions): PeerGate {
  const { security, state, host, clock, log, push } = options;
  const { counters, warn, drop } = createDrops(log);
  const send = (to: Pid, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.send(to, from, wireName, bytes);
  };
  const authentication = createAuthenticator<WaitingRegistration>({
    secrets: security.secrets,
    timeoutMs: security.authenticationTimeoutMs,
    host: host.address,
    random: () => randomBytes(16).toString('hex'),
    send,
    sizeOf: ({ bytes }) => bytes.length,
    resume({ wireName, bytes, ...waited }) {
      const decoded = decodeMessage(wireName, bytes);
      if (decoded.ok) admitMessage(admission, { ...waited, message: decoded.value });
    },
    log: (level, text) => log.limited(level, 'authentication', text),
  });
  const identity = createPeerIdentity(security, state, authentication);
  const fail = (received: ReceivedMessage, message: string): void => {
    if (identity.mayRespond(received)) {
      send(received.from, 'master', { name: 'FrameworkErrorMessage', body: { message } });
    } else drop('meseta/unauthenticated_messages', received.from, message);
  };
  const admission: AdmissionContext = { options, authentication, identity, drop, fail };
  const messages = createMessageCounters(state);
  const queue = createRateLimitQueue(options, (input) => {
    if (input.kind === 'lost') return push({ ...input, kind: 'peerLost' });
    const countProcessed = messages.beginProcessing(input.received.from);
    admitMessage(admission, input.received);
    countProcessed();
  });
  const wake = createWake(clock, [authentication.nextMs, queue.nextMs], (nowMs) => {
    authentication.tick(nowMs);
    queue.tick(nowMs);
  });
  const handleLoss = (address: string): void => {
    queue.enqueueLoss(address);
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
      const call = callOfDriver(decoded.value);
      const received = { from, message: call.ok ? call.value : decoded.value, connection };
      if (!identity.mayReachCore(received)) {
        drop('meseta/unauthenticated_messages', from, `it has not authenticated over the connection of ${wireName}`);
        return 'accepted';
      }
      messages.countReceived(from);
      const error = call.ok ? queue.enqueue(received, wireName) : call.error;
      if (error !== undefined) fail(received, error);
      wake();
      return identity.isRegisteredOn(received) ? 'registered' : 'accepted';
    },
    onPeerLost: handleLoss,
    onConnectionClosed({ id }) {
      const lost = authentication.connectionClosed(id).filter(identity.isRegistered);
      for (const address of new Set(lost.map(addressOfPid))) handleLoss(address);
    },
    counters: () => new Map([...counters, ...messages.metrics()]),
    close: () => wake.cancel(),
  };
}

/** The framework of a registered driver; undefined for any other pid. */
function registeredDriver(state: MasterState, pid: Pid) {
  const id = state.frameworkByPid.get(pid);
  return id === undefined ? undefined : state.frameworks.get(id);
}

/** One timer for the earliest of several deadlines. The returned function is called whenever a deadline may have changed. */
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
