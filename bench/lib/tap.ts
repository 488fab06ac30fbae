// A listener between two libprocess peers: whoever connects here is joined with `target`, and what it says there is
// heard in passing. Bytes go on unchanged and at once.
import { type AddressInfo, connect, createServer } from 'node:net';
import { createMessageParser } from '@meseta/platform/message-parser';
import type { LibprocessMessage } from '@meseta/wire';
import { decodeMessage } from '@meseta/wire/libprocess-codec';

export interface Tap {
  readonly port: number;
  /** Known only once the peer runs. */
  target: string;
  close(): void;
}

const LIMITS = { maxHeadBytes: 65_536, maxBodyBytes: 2 ** 26 };

/** `atMs`: the wall clock when the bytes came. */
export async function openTap(heard: (message: LibprocessMessage, atMs: number) => void): Promise<Tap> {
  const server = createServer({ noDelay: true }, (from) => {
    const [host, port] = tap.target.split(':') as [string, string];
    const to = connect({ host, port: Number(port), noDelay: true });
    const parser = createMessageParser(
      {
        message(head, body) {
          const message = decodeMessage(head.wireName, body);
          if (message.ok) heard(message.value, performance.timeOrigin + performance.now());
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
