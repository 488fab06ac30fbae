// The machine of a benchmark, described well enough to judge a figure, without identifying it.
import { cpus, totalmem } from 'node:os';

export const machine = () => ({
  cores: cpus().length,
  processor: (cpus()[0]?.model ?? 'unknown').replace(/\(R\)|\(TM\)|@.*/g, '').trim(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
});
