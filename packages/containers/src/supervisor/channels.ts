// The inputs of containers: the supervisor keeps its end of each pipe and terminal for as long as the container lives, so they
// survive the agent. A supervisor that is killed takes them with it: terminals hang up, pipes end.
//
// Owns: the channels by the ids of containers.
// SUPERVISOR-4: all output of a terminal is in its file before the end of its container is reported.
import type { ChildChannel } from '@meseta/base';
import type { ContainerInput, InputResult } from './protocol.js';

/** A process that left its container may keep the terminal open. */
const LAST_OUTPUT_TIMEOUT_MS = 1000;

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
  return {
    get size() {
      return channels.size;
    },
    add: (id, channel) => void channels.set(id, channel),
    async send(id, input) {
      const channel = channels.get(id);
      return channel === undefined ? 'closed' : sendTo(channel, input);
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
