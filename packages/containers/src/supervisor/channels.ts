// The inputs of containers: the supervisor keeps its end of each pipe and terminal for as long as the container lives, so they
// survive the agent. A supervisor that is killed takes them with it: terminals hang up, pipes end.
//
// Owns: the channels, by the ids of containers, and how many inputs wait for each.
// CONTAINER-INPUTS-1: clients that come and go do not fill the memory with what a container does not read: few inputs wait for it.
// SUPERVISOR-4: all output of a terminal is in its file before the end of its container is reported.
import type { ChildChannel } from '@meseta/base';
import type { ContainerInput, InputResult } from './protocol.js';

/** A process that left its container may keep the terminal open. */
const LAST_OUTPUT_TIMEOUT_MS = 1000;

/** A client sends one input at a time, but inputs of clients that have disconnected may still wait. */
const MAX_WAITING_INPUTS = 8;

export interface Channels {
  readonly size: number;
  add(id: string, channel: ChildChannel): void;
  send(id: string, input: ContainerInput): Promise<InputResult>;
  /** Calls `onFinished` when the last output is written: at once if the container has no channel. */
  finish(id: string, onFinished: () => void): void;
}

async function sendTo(channel: ChildChannel, input: ContainerInput): Promise<InputResult> {
  if (input.kind === 'end') {
    await channel.end();
    return 'taken';
  }
  const done =
    input.kind === 'data' ? await channel.write(Buffer.from(input.base64, 'base64')) : channel.resize(input.window);
  if (done.ok) return 'taken';
  return done.error.code === 'EPIPE' ? 'closed' : { refused: done.error.message };
}

export function createChannels(): Channels {
  const channels = new Map<string, ChildChannel>();
  const waiting = new Map<string, number>();
  return {
    get size() {
      return channels.size;
    },
    add: (id, channel) => void channels.set(id, channel),
    async send(id, input) {
      const channel = channels.get(id);
      if (channel === undefined) return 'closed';
      const count = waiting.get(id) ?? 0;
      if (count === MAX_WAITING_INPUTS && input.kind !== 'window')
        return { refused: `the container does not read: ${count} inputs wait for it` };
      waiting.set(id, count + 1);
      const result = await sendTo(channel, input);
      const remaining = (waiting.get(id) ?? 1) - 1;
      if (remaining === 0) waiting.delete(id);
      else waiting.set(id, remaining);
      return result;
    },
    finish(id, onFinished) {
      const channel = channels.get(id);
      if (channel === undefined) return onFinished();
      void channel.finish(LAST_OUTPUT_TIMEOUT_MS).then(() => {
        channels.delete(id);
        onFinished();
      });
    },
  };
}
