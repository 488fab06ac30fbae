// Starts a master: opens its registry and its port, and rehearses while another master leads.
import { err, ok, type Result } from '@meseta/base';
import { createProcessStats } from '@meseta/platform/process-stats';
import type { MasterConfig } from './configuration.js';
import { connectMaster } from './connected-master.js';
import { openCoordination } from './coordination.js';
import { openPort } from './port.js';
import { startRehearsal } from './rehearsal/rehearsal.js';

export interface RunningMaster {
  /** `ip:port` */
  readonly address: string;
  stop(): Promise<void>;
}

export interface StartError {
  readonly code: 'addressInUse' | 'listenFailed' | 'registryFailed';
  readonly text: string;
}

/**
 * Resolves once the master listens; it leads once it is elected and has read the registry. `onExit` is called when it cannot go
 * on.
 */
export async function startMaster(
  config: MasterConfig,
  onExit: (message: string) => void,
): Promise<Result<RunningMaster, StartError>> {
  const coordination = await openCoordination(config);
  if (!coordination.ok) return err({ code: 'registryFailed', text: coordination.error });
  const port = await openPort(config);
  if (!port.ok) {
    await coordination.value.close();
    return port;
  }
  const parts = {
    config,
    port: port.value,
    coordination: coordination.value,
    processStats: createProcessStats(),
    onExit,
  };
  const running = connectMaster(parts);
  const rehearsal = config.rehearses ? startRehearsal(config) : undefined;
  running
    .lead(() => rehearsal?.stop())
    .catch((cause: unknown) => onExit(cause instanceof Error ? cause.message : String(cause)));
  return ok({
    address: port.value.host.address,
    async stop() {
      rehearsal?.stop();
      await running.stop();
    },
  });
}
