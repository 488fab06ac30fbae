// Opens the coordination of a master: ZooKeeper or etcd, or its own registry in memory or in its work directory, where it is the only
// candidate.
import { err, ok, type Result } from '@meseta/base';
import { type Coordination, createLocalCoordination, createMemoryStore, openLmdbStore } from '@meseta/coordination';
import { claimDirectory } from '@meseta/platform/claimed-directories';
import type { MasterConfig } from './configuration.js';

/** The error is a message for the person who started the master. */
export async function openCoordination({ registry, log }: MasterConfig): Promise<Result<Coordination, string>> {
  if (registry.kind === 'memory') return ok(createLocalCoordination(createMemoryStore()));
  if (registry.kind === 'coordinator') {
    const { open, sessionTimeoutMs } = registry;
    return ok(open({ sessionTimeoutMs, warn: log.warning }));
  }
  const claimed = await claimDirectory(registry.path, 0o700);
  if (!claimed.ok) return err(`Flag --work_dir: ${claimed.error.message}`);
  const opened = await openLmdbStore(registry.path, {
    warn: log.warning,
    onSpare: (hasSpare) =>
      hasSpare
        ? log.info('the disk of the registry has room again')
        : log.warning('the disk of the registry is full: the master ends when the spare room in its file is used up'),
  });
  if (!opened.ok) return err(`Flag --work_dir: the registry can't be opened: ${opened.error}`);
  return ok(createLocalCoordination(opened.value));
}
