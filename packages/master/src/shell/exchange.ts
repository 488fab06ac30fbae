// An HTTP request with its response.
import type { MasterEndpoint } from '@meseta/api';
import type { BodyReader } from '@meseta/platform';
import type { AdmittedRequest } from '@meseta/platform/admission';
import { sendText } from '@meseta/platform/responses';

export type Exchange = AdmittedRequest<MasterEndpoint, string>;

export const header = ({ request }: Exchange, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
};

/** The body of the request; undefined if it could not be read, and then the request has been answered. */
export async function readBody(bodies: BodyReader, exchange: Exchange): Promise<Uint8Array | undefined> {
  const body = await bodies.read(exchange.request);
  if (body.ok) return body.value;
  sendText(exchange.response, body.error.status, body.error.message, { Connection: 'close' });
  return undefined;
}
