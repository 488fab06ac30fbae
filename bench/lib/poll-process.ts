// Clients that request the same document repeatedly, each as soon as it has received the last answer.
import { createCountingReader } from './counting-reader.js';
import { serveOrders } from './workers.js';

export type PollOrder =
  | { readonly kind: 'start'; readonly address: string; readonly clients: number; readonly request: string }
  | { readonly kind: 'stop' };

export interface Polled {
  readonly answers: number;
  readonly bytes: number;
}

let running: { readonly stop: () => Promise<Polled> } | undefined;

function start(address: string, clients: number, request: string): typeof running {
  const polled = { answers: 0, bytes: 0 };
  let stopped = false;
  const client = async (): Promise<void> => {
    const reader = createCountingReader(address);
    while (!stopped) {
      polled.bytes += await reader.read(request);
      polled.answers++;
    }
    reader.close();
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    async stop() {
      stopped = true;
      await all;
      return polled;
    },
  };
}

serveOrders<PollOrder, Polled | undefined | object>((order) => {
  if (order.kind === 'stop') return running?.stop();
  running = start(order.address, order.clients, order.request);
  return {};
});
