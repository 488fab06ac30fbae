// The end of a client's sending side. A client that waits for an answer may end its side after its request (HOST-2); of a
// stream without an end the same is the only sign that the client has gone, unless something is written to it.
import type { ServerResponse } from 'node:http';

/** Destroys the response of a stream once its client ends its side of the connection, as libprocess does. */
export function closeWithClient(response: ServerResponse): void {
  const { socket } = response.req;
  const close = (): void => void response.destroy();
  if (socket.readableEnded) {
    setImmediate(close);
    return;
  }
  socket.once('end', close);
  response.once('close', () => socket.off('end', close));
}
