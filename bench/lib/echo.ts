// A baseline: an echo through node:http of the same number of messages of the same size.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createHttpCalls } from './http-calls.js';

/** The seconds for `messages` requests of `bytes` each, over `connections` connections, to a server in another process. */
export async function echoSeconds(messages: number, bytes: number, connections: number): Promise<number> {
  const child = fork(fileURLToPath(new URL('../lib/echo-process.mjs', import.meta.url)));
  const port = await new Promise<number>((resolve) => child.once('message', (it) => resolve(Number(it))));
  const calls = createHttpCalls(`127.0.0.1:${port}`, connections);
  const body = Buffer.alloc(bytes, 120);
  const headers = 'Content-Type: application/x-protobuf\r\n';
  const all = async (count: number): Promise<void> => {
    await Promise.all(Array.from({ length: count }, () => calls.post('/', headers, body)));
  };
  await all(Math.min(2000, messages));
  const begun = performance.now();
  await all(messages);
  const seconds = (performance.now() - begun) / 1000;
  calls.close();
  child.disconnect();
  return seconds;
}
