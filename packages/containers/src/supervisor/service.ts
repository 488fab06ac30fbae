// Serves a supervisor to agents: every event goes to all of them, and a new one first learns of all containers. It ends when
// no agent is connected and no container lives.
import type { LineConnection, LineListener } from '@meseta/base';
import { PROTOCOL_VERSION, type SupervisorEvent, type SupervisorRequest } from './protocol.js';
import type { SupervisorPorts } from './state.js';
import { createSupervisor } from './supervisor.js';

/** An agent that starts a supervisor connects to it within this time. */
export const FIRST_CONNECTION_TIMEOUT_MS = 10_000;

export interface SupervisorService {
  onConnection(connection: LineConnection): LineListener;
  /** Resolves when nothing is left to do. */
  readonly ended: Promise<void>;
}

export async function createSupervisorService(ports: SupervisorPorts): Promise<SupervisorService> {
  const connections = new Set<LineConnection>();
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const isUnused = (): boolean => connections.size === 0 && supervisor.isIdle();
  const endIfIdle = async (): Promise<void> => {
    if (!isUnused()) return;
    await supervisor.removeCgroups();
    // An agent may have connected meanwhile.
    if (isUnused()) end();
  };
  const send = (connection: LineConnection, event: SupervisorEvent): void => connection.send(JSON.stringify(event));
  const supervisor = await createSupervisor(ports, (event) => {
    for (const connection of connections) send(connection, event);
    if (connections.size === 0 && event.kind !== 'started') setImmediate(() => void endIfIdle());
  });
  // While the process lives, it keeps the lock, and no other supervisor can start: timers must not prolong its end.
  setTimeout(() => void endIfIdle(), FIRST_CONNECTION_TIMEOUT_MS).unref();
  return {
    onConnection(connection) {
      connections.add(connection);
      for (const container of supervisor.known()) send(connection, { kind: 'known', container });
      send(connection, { kind: 'ready', version: PROTOCOL_VERSION, session: ports.processes.self.pid });
      return {
        onLine: (line) => supervisor.handle(JSON.parse(line) as SupervisorRequest),
        onClosed() {
          connections.delete(connection);
          void endIfIdle();
        },
      };
    },
    ended,
  };
}
