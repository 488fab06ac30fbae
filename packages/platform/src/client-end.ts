// The end of a client's sending side. A client that waits for an answer may end its side after its request (HOST-2). For the
// client of an endless stream it means that the client has disconnected: until something is written to the stream, no other
// event reports that.
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
