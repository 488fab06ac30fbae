// Who a libprocess message is from, as far as it matters: what agents and drivers may send only over the connection on which
// they have authenticated, how many agents one address may register, and whose errors may be answered.
//
// PEER-IDENTITY-1: where agents (drivers) must authenticate, a message that only they send counts only from a pid that has
//     authenticated on the connection that it came by; others are dropped and counted, and nothing is answered.
// PEER-IDENTITY-2: no more than `maxAgentsPerAddress` agents are registered from one address, as connections show it.
// PEER-IDENTITY-3: nobody is told of an error that another one has made in its name: an error ends a driver.
import type { Pid } from '@meseta/base';
import type { PeerConnection } from '@meseta/platform';
import type { Authenticator } from '@meseta/security';
import type { LibprocessMessage } from '@meseta/wire';
import type { MasterState } from '../core/state.js';
import type { PeerSecurity } from './security.js';

/** A message with where it came from. */
export interface Arrived {
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
  /** PEER-IDENTITY-1, but for registrations: those may wait for an authentication. */
  mayReachCore(arrived: Arrived): boolean;
  /** PEER-IDENTITY-2. */
  mayRegister(arrived: Arrived): boolean;
  /** PEER-IDENTITY-3. */
  mayBeAnswered(arrived: Pick<Arrived, 'from' | 'connection'>): boolean;
  /** Whether the pid is that of a registered agent or driver. */
  isRegistered(pid: Pid): boolean;
  /** Whether it is, and has authenticated on this connection where it must. */
  isRegisteredOn(arrived: Pick<Arrived, 'from' | 'connection'>): boolean;
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
      const asked = AGENT_MESSAGES.has(message.name)
        ? security.authenticateAgents
        : DRIVER_MESSAGES.has(message.name) && security.authenticateFrameworks;
      return !asked || isAgentRegistration(message) || isSubscription(message) || hasAuthenticated(from, connection);
    },
    mayRegister: ({ from, message, connection }) => !isAgentRegistration(message) || admitsFrom(connection.ip, from),
    mayBeAnswered: ({ from, connection }) =>
      !security.authenticateFrameworks ||
      hasAuthenticated(from, connection) ||
      !(authentication.isKnown(from) || state.frameworkByPid.has(from)),
    isRegistered: (pid) => state.agents.byPid.has(pid) || state.frameworkByPid.has(pid),
    isRegisteredOn({ from, connection }) {
      const asked = state.agents.byPid.has(from)
        ? security.authenticateAgents
        : state.frameworkByPid.has(from)
          ? security.authenticateFrameworks
          : undefined;
      return asked === false || (asked === true && hasAuthenticated(from, connection));
    },
  };
}

const MIN_PRUNED_ADDRESSES = 10_000;

/** PEER-IDENTITY-2: those who have left are forgotten when there seem to be too many. */
function createAddressLimit(max: number, { agents }: MasterState): (ip: string, pid: Pid) => boolean {
  const pidsOf = new Map<string, Set<Pid>>();
  /** How many addresses there are before those without agents are forgotten. */
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
