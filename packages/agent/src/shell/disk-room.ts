// Checks each second whether the disk of work_dir has room for another task and its checkpoint, and reports changes to the
// core.
import type { Clock, Files } from '@meseta/base';
import type { AgentInput } from '../core/io.js';
import type { Checkpoint } from './checkpoint.js';

export interface DiskRoomOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly workDir: string;
  readonly checkpoint: Pick<Checkpoint, 'hasSpare'>;
  /** `--disk_floor` */
  readonly floorBytes: number;
  push(input: AgentInput): void;
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)}MB`;

const CHECK_INTERVAL_MS = 1000;
/** The floor is at most this share of the disk. */
const MAX_FLOOR_SHARE = 1 / 20;

/** Resolves after the first check, with a function that ends the watch. */
export async function watchDiskRoom(options: DiskRoomOptions): Promise<() => void> {
  let reportedKey: string | undefined;
  let closed = false;
  let cancel = (): void => {};
  const check = async (): Promise<void> => {
    const shortage = await findShortage(options);
    if (closed) return;
    if (shortage?.key !== reportedKey) options.push({ kind: 'diskRoom', shortage: shortage?.text });
    reportedKey = shortage?.key;
    cancel = options.clock.setTimer(CHECK_INTERVAL_MS, () => void check());
  };
  await check();
  return () => {
    closed = true;
    cancel();
  };
}

interface Shortage {
  readonly key: 'floor' | 'spare';
  readonly text: string;
}

async function findShortage({
  files,
  workDir,
  checkpoint,
  floorBytes,
}: DiskRoomOptions): Promise<Shortage | undefined> {
  const space = await files.diskSpace(workDir);
  // A disk that can't be measured is taken to have room; the measurement for garbage collection logs the failure.
  if (!space.ok) return undefined;
  const { availableBytes, totalBytes } = space.value;
  const floor = Math.min(floorBytes, Math.floor(totalBytes * MAX_FLOOR_SHARE));
  if (availableBytes < floor) {
    const text = `the disk of ${workDir} has ${megabytes(availableBytes)} free, less than the ${megabytes(floor)} of --disk_floor`;
    return { key: 'floor', text };
  }
  if (checkpoint.hasSpare()) return undefined;
  return { key: 'spare', text: `the disk of ${workDir} has no room for the agent's checkpoint` };
}
