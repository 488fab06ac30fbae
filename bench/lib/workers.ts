// A separate process for a part of the load, controlled over IPC: each order is answered by one message.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Worker<Order, Answer> {
  ask(order: Order): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts the process `lib/NAME-process.ts`. */
export function startWorker<Order extends object, Answer>(name: string): Worker<Order, Answer> {
  const child: ChildProcess = fork(fileURLToPath(new URL(`../lib/${name}-process.mjs`, import.meta.url)));
  return {
    ask: (order) =>
      new Promise((resolve, reject) => {
        const onExit = (): void => reject(new Error(`the process ${name} ended`));
        child.once('exit', onExit);
        child.once('message', (answer) => {
          child.off('exit', onExit);
          resolve(answer as Answer);
        });
        child.send(order);
      }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.disconnect();
      await ended;
    },
  };
}

/** The worker's side: answers each order, and ends with the parent process. */
export function serveOrders<Order, Answer>(answer: (order: Order) => Answer | Promise<Answer>): void {
  process.on('message', async (order) => void process.send?.((await answer(order as Order)) as object));
  process.on('disconnect', () => process.exit(0));
}
