// A proxy between two libprocess peers: connections to it are forwarded unchanged to `target`, and their messages are reported.
import { type AddressInfo, connect, createServer } from 'node:net';
import { createMessageParser } from '@meseta/platform/message-parser';
import type { LibprocessMessage } from '@meseta/wire';
import { decodeMessage } from '@meseta/wire/libprocess-codec';

export interface Tap {
  readonly port: number;
  /** Set once the peer runs. */
  target: string;
  close(): void;
}

const LIMITS = { maxHeadBytes: 65_536, maxBodyBytes: 2 ** 26 };

/** `atMs`: the wall clock when the message arrived. */
export async function openTap(onMessage: (message: LibprocessMessage, atMs: number) => void): Promise<Tap> {
  const server = createServer({ noDelay: true }, (from) => {
    const [host, port] = tap.target.split(':') as [string, string];
    const to = connect({ host, port: Number(port), noDelay: true });
    const parser = createMessageParser(
      {
        message(head, body) {
          const message = decodeMessage(head.wireName, body);
          if (message.ok) onMessage(message.value, performance.timeOrigin + performance.now());
        },
        continueExpected() {},
      },
      LIMITS,
    );
    from.on('data', (bytes) => {
      to.write(bytes);
      parser.push(bytes);
    });
    to.on('data', (bytes) => from.write(bytes));
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tap: Tap = { port: (server.address() as AddressInfo).port, target: '', close: () => server.close() };
  return tap;
}
