// Runs helper processes of images for the agent.
import { type AbortSignalLike, err, type Processes, type Result } from '@meseta/base';
import { createConcurrencyLimit } from '../concurrency.js';
import type { HelperRequest, HelperResponses } from './helper-protocol.js';

export interface ImageHelper {
  run<Request extends HelperRequest>(
    request: Request,
    signal?: AbortSignalLike,
  ): Promise<Result<HelperResponses[Request['kind']], string>>;
}

const HELPER_TIMEOUT_MS = 3_600_000;
/** Each is a process with memory of its own; images that are pulled at the same time wait for each other. */
const MAX_HELPERS = 4;
/** An answer lists an image's layers. */
const ANSWER_BYTES = 8 * 2 ** 20;

/** Its input is hostile, so its answer may be too long, and cut. */
function parseResponse<Response>(text: string): Result<Response, string> {
  try {
    return JSON.parse(text) as Result<Response, string>;
  } catch {
    return err(`the answer of the helper process is damaged, or has more than ${ANSWER_BYTES} bytes`);
  }
}

/** `command` starts a helper process. */
export function createImageHelper(
  processes: Processes,
  command: { readonly program: string; readonly arguments: readonly string[] },
): ImageHelper {
  const limitHelpers = createConcurrencyLimit(MAX_HELPERS);
  return {
    async run<Request extends HelperRequest>(request: Request, signal?: AbortSignalLike) {
      const run = await limitHelpers(async () =>
        signal?.aborted
          ? err({ message: 'stopped' })
          : processes.run(
              { ...command, input: JSON.stringify(request) },
              { timeoutMs: HELPER_TIMEOUT_MS, outputBytes: ANSWER_BYTES, ...(signal === undefined ? {} : { signal }) },
            ),
      );
      if (signal?.aborted) return err('stopped');
      if (!run.ok) return err(run.error.message);
      const { end, stdout, stderr, timedOut } = run.value;
      if (timedOut) return err(`it was not done after ${HELPER_TIMEOUT_MS / 60_000} minutes`);
      if (end.kind === 'exited' && end.code === 0) return parseResponse<HelperResponses[Request['kind']]>(stdout);
      const how = end.kind === 'exited' ? `the status ${end.code}` : `the signal ${end.signal}`;
      return err(`the helper process ended with ${how}: ${stderr.trim().slice(-500) || 'without a message'}`);
    },
  };
}
