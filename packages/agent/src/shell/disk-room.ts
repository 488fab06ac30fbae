// Looks each second whether the disk of work_dir has room for another task and its checkpoint, and tells the core when that
// changes.
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

const intervalMs = 1000;
/** Of a small disk the floor is no more than this share. */
const floorShare = 1 / 20;

/** Resolves after the first look. Returns what ends it. */
export async function watchDiskRoom(options: DiskRoomOptions): Promise<() => void> {
  let told: string | undefined;
  let closed = false;
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    const shortage = await shortageOf(options);
    if (closed) return;
    if (shortage?.key !== told) options.push({ kind: 'diskRoom', shortage: shortage?.text });
    told = shortage?.key;
    cancel = options.clock.setTimer(intervalMs, () => void look());
  };
  await look();
  return () => {
    closed = true;
    cancel();
  };
}

interface Shortage {
  readonly key: 'floor' | 'spare';
  readonly text: string;
}

async function shortageOf({ files, workDir, checkpoint, floorBytes }: DiskRoomOptions): Promise<Shortage | undefined> {
  const space = await files.diskSpace(workDir);
  // A disk that can't be asked is not known to be full; the disk watch says so in the log.
  if (!space.ok) return undefined;
  const { availableBytes, totalBytes } = space.value;
  const floor = Math.min(floorBytes, Math.floor(totalBytes * floorShare));
  if (availableBytes < floor) {
    const text = `the disk of ${workDir} has ${megabytes(availableBytes)} free, less than the ${megabytes(floor)} of --disk_floor`;
    return { key: 'floor', text };
  }
  if (checkpoint.hasSpare()) return undefined;
  return { key: 'spare', text: `the disk of ${workDir} has no room for the agent's checkpoint` };
}
