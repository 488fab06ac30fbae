// Flags of the daemon's port, and metrics of how its limits are applied. Master and agent share both.
import { counter, gauge, type Metrics } from '@meseta/api';
import { booleanFlag, countFlag, type FlagValues } from './flags.js';
import type { HostOptions, HostStats } from './host.js';
import { openFileLimit } from './open-files.js';

/** Kept for files, pipes and connections that this process makes itself. */
const RESERVED_FILES = 512;

export const peerFlags = {
  require_peer_address_ip_match: booleanFlag({
    help: 'Refuse libprocess messages that come from another address than their sender claims. Also LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH.',
  }),
  max_connections: countFlag({
    default: '20000',
    help: 'How many connections of others may be open; fewer where the limit of open files is lower.',
  }),
  max_silent_connections: countFlag({
    default: '1000',
    help: 'How many connections may stay open that have not sent a request, or not ended their TLS handshake.',
  }),
  max_stranger_connections: countFlag({
    default: '2000',
    help: 'How many connections may be open to addresses that nothing is registered at.',
  }),
};

export type PeerFlags = FlagValues<typeof peerFlags>;

export function peerOptionsOf(
  flags: PeerFlags,
): Pick<HostOptions, 'requirePeerAddressIpMatch' | 'connectionLimits' | 'maxStrangers'> {
  const files = openFileLimit() - RESERVED_FILES;
  const maxSilent = Math.min(flags.max_silent_connections, Math.max(1, Math.floor(files / 5)));
  return {
    requirePeerAddressIpMatch: flags.require_peer_address_ip_match,
    connectionLimits: {
      // Those in their handshakes have files beside the others.
      maxConnections: Math.max(1, Math.min(flags.max_connections, files - maxSilent)),
      maxSilent,
    },
    maxStrangers: flags.max_stranger_connections,
  };
}

/** The metrics of a daemon's port, the same for master and agent. */
export const peerMetrics = ({ connections, strangersCut, messagesFromElsewhere }: HostStats): Metrics =>
  new Map([
    ['meseta/connections', gauge(connections.open)],
    ['meseta/cut_connections', counter(connections.cut)],
    ['meseta/cut_slow_requests', counter(connections.slow)],
    ['meseta/cut_stranger_connections', counter(strangersCut)],
    ['meseta/messages_from_elsewhere', counter(messagesFromElsewhere)],
  ]);
