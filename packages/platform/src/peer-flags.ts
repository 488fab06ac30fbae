// Flags of the daemon's port, and metrics of how its limits are applied. Master and agent share both.
import { counter, gauge, type Metrics } from '@meseta/api';
import { booleanFlag, countFlag, type FlagValues } from './flags.js';
import type { HostOptions, HostStats } from './host.js';
import { openFileLimit } from './open-files.js';

/** Reserved for files, pipes and outgoing connections of this process. */
const RESERVED_FILES = 512;

export const peerFlags = {
  require_peer_address_ip_match: booleanFlag({
    help: 'Refuse libprocess messages from another address than the one in their sender. Also LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH.',
  }),
  max_connections: countFlag({
    default: '20000',
    help: 'The number of incoming connections that may be open; lower if the limit of open files is lower.',
  }),
  max_silent_connections: countFlag({
    default: '1000',
    help: 'The number of connections that may stay open without a request or a completed TLS handshake.',
  }),
  max_stranger_connections: countFlag({
    default: '2000',
    help: 'The number of connections that may be open to addresses at which nothing is registered.',
  }),
};

export type PeerFlags = FlagValues<typeof peerFlags>;

export function peerOptionsOf(
  flags: PeerFlags,
): Pick<HostOptions, 'requirePeerAddressIpMatch' | 'connectionLimits' | 'maxUnlinkedPeers'> {
  const files = openFileLimit() - RESERVED_FILES;
  const maxSilent = Math.min(flags.max_silent_connections, Math.max(1, Math.floor(files / 5)));
  return {
    requirePeerAddressIpMatch: flags.require_peer_address_ip_match,
    connectionLimits: {
      // Connections in their TLS handshake need files besides the others.
      maxConnections: Math.max(1, Math.min(flags.max_connections, files - maxSilent)),
      maxSilent,
    },
    maxUnlinkedPeers: flags.max_stranger_connections,
  };
}

/** The metrics of a daemon's port, the same for master and agent. */
export const peerMetrics = ({ connections, unlinkedPeersClosed, messagesFromElsewhere }: HostStats): Metrics =>
  new Map([
    ['meseta/connections', gauge(connections.open)],
    ['meseta/cut_connections', counter(connections.cut)],
    ['meseta/cut_slow_requests', counter(connections.slow)],
    ['meseta/cut_stranger_connections', counter(unlinkedPeersClosed)],
    ['meseta/messages_from_elsewhere', counter(messagesFromElsewhere)],
  ]);
