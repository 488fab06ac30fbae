// Checks the sender of a libprocess message: whether it has authenticated on this connection, whether its address may
// register another agent, and whether it may be sent an error.
//
// PEER-IDENTITY-1: if agents (drivers) must authenticate, a message that only agents (drivers) send is accepted only from a
//     pid that has authenticated on the same connection. Others are dropped and counted, without an answer.
// PEER-IDENTITY-2: at most `maxAgentsPerAddress` agents are registered from one address, as seen on the connection.
// PEER-IDENTITY-3: a driver gets no error for a message that another peer sent in its name, because an error ends a driver.
import type { Pid } from '@meseta/base';
import type { PeerConnection } from '@meseta/platform';
import type { Authenticator } from '@meseta/security';
import type { LibprocessMessage } from '@meseta/wire';
import type { MasterState } from '../core/state.js';
import type { PeerSecurity } from './security.js';

/** A message with its sender and its connection. */
export interface ReceivedMessage {
  readonly from: Pid;
  readonly message: LibprocessMessage;
  readonly connection: PeerConnection;
}

const AGENT_MESSAGES: ReadonlySet<LibprocessMessage['name']> = new Set([
  'RegisterAgentMessage',
  'ReregisterAgentMessage',
  'UnregisterAgentMessage',
  'UpdateAgentMessage',
  'PongAgentMessage',
  'StatusUpdateMessage',
  'UpdateOperationStatusMessage',
  'ExitedExecutorMessage',
  'ExecutorToFrameworkMessage',
]);
const DRIVER_MESSAGES: ReadonlySet<LibprocessMessage['name']> = new Set([
  'SchedulerCall',
  'DeactivateFrameworkMessage',
]);

export const isAgentRegistration = ({ name }: LibprocessMessage): boolean =>
  name === 'RegisterAgentMessage' || name === 'ReregisterAgentMessage';

const isSubscription = (message: LibprocessMessage): boolean =>
  message.name === 'SchedulerCall' && message.body.subscribe !== undefined;

export interface PeerIdentity {
  /** PEER-IDENTITY-1, except for registrations: they may wait for the authentication. */
  mayReachCore(arrived: ReceivedMessage): boolean;
  /** PEER-IDENTITY-2. */
  mayRegister(arrived: ReceivedMessage): boolean;
  /** PEER-IDENTITY-3. */
  mayRespond(arrived: Pick<ReceivedMessage, 'from' | 'connection'>): boolean;
  /** Whether the pid is that of a registered agent or driver. */
  isRegistered(pid: Pid): boolean;
  /** Whether the pid is registered and, if it must, has authenticated on this connection. */
  isRegisteredOn(arrived: Pick<ReceivedMessage, 'from' | 'connection'>): boolean;
}

export function createPeerIdentity(
  security: PeerSecurity,
  state: MasterState,
  authentication: Pick<Authenticator<unknown>, 'principalOf' | 'isKnown'>,
): PeerIdentity {
  const hasAuthenticated = (from: Pid, { id }: PeerConnection): boolean =>
    authentication.principalOf({ from, connection: id }) !== undefined;
  const admitsFrom = createAddressLimit(security.maxAgentsPerAddress, state);
  return {
    mayReachCore({ from, message, connection }) {
      const isRequired = AGENT_MESSAGES.has(message.name)
        ? security.authenticateAgents
        : DRIVER_MESSAGES.has(message.name) && security.authenticateFrameworks;
      return (
        !isRequired || isAgentRegistration(message) || isSubscription(message) || hasAuthenticated(from, connection)
      );
    },
    mayRegister: ({ from, message, connection }) => !isAgentRegistration(message) || admitsFrom(connection.ip, from),
    mayRespond: ({ from, connection }) =>
      !security.authenticateFrameworks ||
      hasAuthenticated(from, connection) ||
      !(authentication.isKnown(from) || state.frameworkByPid.has(from)),
    isRegistered: (pid) => state.agents.byPid.has(pid) || state.frameworkByPid.has(pid),
    isRegisteredOn({ from, connection }) {
      const isRequired = state.agents.byPid.has(from)
        ? security.authenticateAgents
        : state.frameworkByPid.has(from)
          ? security.authenticateFrameworks
          : undefined;
      return isRequired === false || (isRequired === true && hasAuthenticated(from, connection));
    },
  };
}

const MIN_PRUNED_ADDRESSES = 10_000;

/** PEER-IDENTITY-2. Pids that are no longer registered are removed when an address reaches the limit. */
function createAddressLimit(max: number, { agents }: MasterState): (ip: string, pid: Pid) => boolean {
  const pidsOf = new Map<string, Set<Pid>>();
  /** The number of addresses at which those without registered agents are removed. */
  let pruneAt = MIN_PRUNED_ADDRESSES;
  const prune = (pids: Set<Pid>): void => {
    const { byPid, registering, reregisteringByPid } = agents;
    for (const pid of pids) {
      if (!byPid.has(pid) && !registering.has(pid) && !reregisteringByPid.has(pid)) pids.delete(pid);
    }
  };
  const pruneAll = (): void => {
    for (const [ip, pids] of pidsOf) {
      prune(pids);
      if (pids.size === 0) pidsOf.delete(ip);
    }
    pruneAt = Math.max(MIN_PRUNED_ADDRESSES, 2 * pidsOf.size);
  };
  return (ip, pid) => {
    const pids = pidsOf.get(ip) ?? new Set();
    if (pidsOf.size >= pruneAt) pruneAll();
    pidsOf.set(ip, pids);
    if (pids.has(pid)) return true;
    if (pids.size >= max) prune(pids);
    if (pids.size >= max) return false;
    pids.add(pid);
    return true;
  };
}
