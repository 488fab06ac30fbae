// The command `meseta image-helper`, which agents run for one task: a request on standard input, its answer on standard output.
import { handleHelperRequest } from '@meseta/containers/images/helper';
import type { HelperRequest } from '@meseta/containers/images/helper-protocol';
import { readBlob } from '@meseta/platform/blobs';
import { closeInherited } from '@meseta/platform/descriptors';
import { endWithParent } from '@meseta/platform/parent-end';

/** A layer may make the helper use its memory up; then it fails, and the agent goes on. */
const NODE_FLAGS = ['--max-old-space-size=512', '--v8-pool-size=1'];

/** Starts a helper. `script`: the bundle of `meseta`. */
export const imageHelperCommand = (script: string) => ({
  program: process.execPath,
  arguments: [...NODE_FLAGS, script, 'image-helper'],
});

async function readInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

/** Carries out one request of the agent. Returns the process' exit status. */
export async function imageHelperMain(): Promise<number> {
  closeInherited();
  // Modes are those of the image.
  process.umask(0);
  const input = await readInput();
  if (input === '') {
    process.stderr.write('Usage: meseta image-helper (agents run it)\n');
    return 1;
  }
  // The next agent uses the same directories.
  endWithParent();
  const { openTree, syncTree } = await import('@meseta/platform/trees');
  const answer = await handleHelperRequest({ openTree, readBlob, sync: syncTree }, JSON.parse(input) as HelperRequest);
  await new Promise((resolve) => process.stdout.write(JSON.stringify(answer), resolve));
  return 0;
}
