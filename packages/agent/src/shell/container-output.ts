// The stream of a container's output: the response to LAUNCH_NESTED_CONTAINER_SESSION and ATTACH_CONTAINER_OUTPUT.
//
// CONTAINER-OUTPUT-1: a session's container is killed when the client closes the stream of its output.
// CONTAINER-OUTPUT-2: an output stream ends when the container has ended and all its output is sent.
// CONTAINER-OUTPUT-3: output that a client does not read is not buffered: the stream waits.
import type { ServerResponse } from 'node:http';
import type { Files } from '@meseta/base';
import { createOutputReader } from '@meseta/containers/streams/output-reader';
import { closeWithClient } from '@meseta/platform/client-end';
import { drained } from '@meseta/platform/send-rendering';
import type { AgentCall, AgentProcessIO } from '@meseta/wire';
import { AgentProcessIOCodec } from '@meseta/wire/codecs';
import { JSON_TYPE } from '@meseta/wire/media';
import { encodeRecord } from '@meseta/wire/recordio';
import { containerIdOf } from '../core/validation.js';
import type { ContainerCalls } from './container-calls.js';
import type { StreamMedia } from './stream-media.js';

/** A longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface OutputOptions {
  readonly files: Files;
  readonly containerCalls: Pick<ContainerCalls, 'ask' | 'askWhileConnected'>;
  readonly heartbeatMs: number;
}

/** Sends the output of the container of `call`, whose sandbox is at this path, to the client. */
export async function streamOutput(
  { containerCalls, files, heartbeatMs }: OutputOptions,
  response: ServerResponse,
  { headers, record }: StreamMedia,
  call: AgentCall,
  sandbox: string,
): Promise<void> {
  const isSession = call.type === 'LAUNCH_NESTED_CONTAINER_SESSION';
  const container_id = containerIdOf(call);
  if (container_id === undefined) return;
  const write = (io: AgentProcessIO): boolean => {
    const bytes = record === JSON_TYPE ? Buffer.from(AgentProcessIOCodec.write(io)) : AgentProcessIOCodec.encode(io);
    return response.write(encodeRecord(bytes));
  };
  response.writeHead(200, headers);
  const reader = createOutputReader(files, sandbox, isSession ? 'start' : 'end', async (type, data) => {
    if (!write({ type: 'DATA', data: { type, data: data.toString('base64') } })) await drained(response);
  });
  await reader.begun;
  response.flushHeaders();
  const interval = { nanoseconds: Math.round(heartbeatMs * 1e6) };
  const heartbeats = setInterval(
    () => {
      if (!response.writableNeedDrain)
        write({ type: 'CONTROL', control: { type: 'HEARTBEAT', heartbeat: { interval } } });
    },
    Math.min(heartbeatMs, MAX_TIMER_MS),
  );
  let hasEnded = false;
  const onClose = (): void => {
    clearInterval(heartbeats);
    reader.stop();
    if (isSession && !hasEnded)
      void containerCalls.ask({ type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } });
  };
  // The client may have closed the connection during the launch.
  if (response.destroyed) onClose();
  else response.on('close', onClose);
  closeWithClient(response);
  const wait = { type: 'WAIT_CONTAINER', wait_container: { container_id } } as const;
  const waited = await containerCalls.askWhileConnected(wait, response);
  if (waited === undefined) return;
  if (waited.status === 500) {
    // Too many calls wait for the container (LIMITS.waitingCalls): its end would not be noticed.
    response.destroy();
    return;
  }
  hasEnded = true;
  await reader.finish();
  // The ended container is not removed: Mesos' command line asks for its status after the session (NESTED-2).
  response.end();
}
