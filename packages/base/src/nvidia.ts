import type { Result } from './result.js';

/** The driver of NVIDIA's GPUs on this machine. A GPU is named by its index, as nvidia-smi shows it. */
export interface NvidiaDriver {
  /** How many GPUs there are. */
  readonly count: number;
  /** The number in the name of the GPU's device, as in `/dev/nvidia0`. */
  minorOf(index: number): Result<number, string>;
}
