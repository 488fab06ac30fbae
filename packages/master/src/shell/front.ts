// The port, open before there is a core behind it: until then messages are dropped and requests put off.
import { err, ok, type Result } from '@meseta/base';
import { createHost, type Host, type HostNote, type HostOptions, type PeerMessage } from '@meseta/platform';
import type { MasterConfig } from './configuration.js';

export interface FrontError {
  readonly code: 'addressInUse' | 'listenFailed';
  readonly text: string;
}

/** What the port's traffic goes to; set once the core stands. */
export interface Front {
  readonly host: Host;
  onMessage: (message: PeerMessage) => 'accepted' | 'unknown';
  onRequest: HostOptions['onRequest'];
  onPeerLost: (address: string) => void;
}

export async function openFront(config: MasterConfig): Promise<Result<Front, FrontError>> {
  const late: { front?: Front } = {};
  const opened = await createHost({
    ip: config.ip,
    port: config.port,
    advertise: config.advertise,
    onMessage: (message) => late.front?.onMessage(message) ?? 'accepted',
    onRequest: (request, response) => late.front?.onRequest(request, response),
    onPeerLost: (address) => late.front?.onPeerLost(address),
    onNote: (note) => config.log.warning(textOf(note)),
  });
  if (!opened.ok) {
    const { code, message } = opened.error;
    const text =
      code === 'addressInUse' ? `${message}: another process has this port; choose one with --port` : message;
    return err({ code: code === 'addressInUse' ? code : 'listenFailed', text });
  }
  late.front = { host: opened.value, onMessage: () => 'accepted', onRequest: () => {}, onPeerLost: () => {} };
  return ok(late.front);
}

const textOf = (note: HostNote): string => {
  switch (note.kind) {
    case 'peerOverLimit':
      return `closed the connection to ${note.address}: ${note.unsentBytes} bytes were unsent`;
    case 'peerLost':
      return `lost the connection to ${note.address}: ${note.reason}`;
    case 'badMessage':
      return `bad message from ${note.remote}: ${note.reason}`;
  }
};
