// The port, open before there is a core behind it: until then messages are dropped and requests put off.
import { err, ok, type Result } from '@meseta/base';
import { createHost, type Host, type HostOptions, hostNoteText, type PeerConnection } from '@meseta/platform';
import type { PlainCalls } from '@meseta/platform/plain-calls';
import { SAFE_HEADERS } from '@meseta/security';
import type { MasterConfig } from './configuration.js';
import { schedulerTargets } from './plain-scheduler-calls.js';

export interface FrontError {
  readonly code: 'addressInUse' | 'listenFailed';
  readonly text: string;
}

/** What the port's traffic goes to. */
export type Handlers = Pick<HostOptions, 'onMessage' | 'onRequest' | 'onPeerLost'> & {
  onConnectionClosed(connection: PeerConnection): void;
  readonly takeCall: PlainCalls['take'];
};

export interface Front {
  readonly host: Host;
  /** The core stands: requests that came before are answered now. */
  serve(handlers: Handlers): void;
}

export async function openFront(config: MasterConfig): Promise<Result<Front, FrontError>> {
  let handlers: Handlers | undefined;
  const early: Parameters<Handlers['onRequest']>[] = [];
  const opened = await createHost({
    ip: config.ip,
    port: config.port,
    advertise: config.advertise,
    tls: config.security.tls,
    ...config.peerOptions,
    onMessage: (message) => handlers?.onMessage(message) ?? 'accepted',
    onRequest: (request, response) => {
      if (handlers === undefined) early.push([request, response]);
      else handlers.onRequest(request, response);
    },
    calls: {
      targets: schedulerTargets,
      headers: SAFE_HEADERS,
      take: (head, body, answer) => handlers?.takeCall(head, body, answer) ?? false,
    },
    onConnectionClosed: (connection) => handlers?.onConnectionClosed(connection),
    onPeerLost: (address) => handlers?.onPeerLost(address),
    onNote: (note) => config.log.limited('warning', note.kind, hostNoteText(note)),
  });
  if (!opened.ok) {
    const { code, message } = opened.error;
    return err({ code: code === 'addressInUse' ? code : 'listenFailed', text: message });
  }
  return ok({
    host: opened.value,
    serve(ready) {
      handlers = ready;
      for (const [request, response] of early.splice(0)) ready.onRequest(request, response);
    },
  });
}
