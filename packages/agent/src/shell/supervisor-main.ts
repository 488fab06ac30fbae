// The command `meseta supervisor DIRECTORY`, which agents run: one process for each runtime directory starts the agent's
// containers and survives the agent.
import { IN_USE } from '@meseta/containers/supervisor/client';
import { SOCKET_NAME } from '@meseta/containers/supervisor/protocol';
import { createSupervisorService } from '@meseta/containers/supervisor/service';
import { closeInherited } from '@meseta/platform/descriptors';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { createRecordFiles } from '@meseta/platform/record-files';

/** It has little to do and is resident. */
const NODE_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=256', '--v8-pool-size=1'];

/** Starts a supervisor for the directory that is added to the arguments. `script`: the bundle of `meseta`. */
export const supervisorCommand = (script: string) => ({
  program: process.execPath,
  arguments: [...NODE_FLAGS, script, 'supervisor'],
});

/** The modules that call the C library. */
async function loadNative() {
  const [{ createChildProcesses }, { listenLocally }] = await Promise.all([
    import('@meseta/platform/child-processes'),
    import('@meseta/platform/local-service'),
  ]);
  return { createChildProcesses, listenLocally };
}

/** Runs a supervisor until no agent is connected and no container lives. Returns the process' exit status. */
export async function supervisorMain(argv: readonly string[]): Promise<number> {
  closeInherited();
  const fail = (text: string): number => {
    process.stderr.write(`${text}\n`);
    return 1;
  };
  const [directory] = argv;
  if (directory === undefined) return fail('Usage: meseta supervisor DIRECTORY (agents run it)');
  let native: Awaited<ReturnType<typeof loadNative>>;
  try {
    native = await loadNative();
  } catch (error) {
    return fail(
      `the npm package koffi, by which containers are started, has no build for this machine ` +
        `(${process.platform}, ${process.arch}): ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const children = native.createChildProcesses();
  if (!children.ok) return fail(`this machine can't start containers: ${children.error}`);
  const records = createRecordFiles(directory);
  const ports = { files: createFiles(), processes: createProcesses(), children: children.value, records };
  let ended: Promise<void> = Promise.resolve();
  const listening = await native.listenLocally(directory, SOCKET_NAME, `${IN_USE} for ${directory}`, async () => {
    const service = await createSupervisorService(ports);
    ended = service.ended;
    return service.onConnection;
  });
  if (!listening.ok) return fail(listening.error);
  await ended;
  listening.value.close();
  return 0;
}
