// The master's port. It opens before the core exists; until then messages are dropped and requests wait.
import { err, ok, type Result } from '@meseta/base';
import { createHost, type Host, type HostOptions, hostNoteText, type PeerConnection } from '@meseta/platform';
import type { FastPath } from '@meseta/platform/fast-path';
import { SAFE_HEADERS } from '@meseta/security';
import type { MasterConfig } from './configuration.js';
import { schedulerTargets } from './scheduler-fast-path.js';

export interface PortError {
  readonly code: 'addressInUse' | 'listenFailed';
  readonly text: string;
}

/** Handlers of the port's traffic. */
export type PortHandlers = Pick<HostOptions, 'onMessage' | 'onRequest' | 'onPeerLost'> & {
  onConnectionClosed(connection: PeerConnection): void;
  readonly tryHandleCall: FastPath['tryHandle'];
};

export interface MasterPort {
  readonly host: Host;
  /** Starts to serve, first the requests that have waited. */
  serve(handlers: PortHandlers): void;
}

export async function openPort(config: MasterConfig): Promise<Result<MasterPort, PortError>> {
  let handlers: PortHandlers | undefined;
  const waiting: Parameters<PortHandlers['onRequest']>[] = [];
  const opened = await createHost({
    ip: config.ip,
    port: config.port,
    advertise: config.advertise,
    tls: config.security.tls,
    ...config.peerOptions,
    onMessage: (message) => handlers?.onMessage(message) ?? 'accepted',
    onRequest: (request, response) => {
      if (handlers === undefined) waiting.push([request, response]);
      else handlers.onRequest(request, response);
    },
    fastPath: {
      targets: schedulerTargets,
      headers: SAFE_HEADERS,
      tryHandle: (head, body, answer) => handlers?.tryHandleCall(head, body, answer) ?? false,
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
      for (const [request, response] of waiting.splice(0)) ready.onRequest(request, response);
    },
  });
}
