// The client of Meseta's own endpoints.
import { err, ok } from '@meseta/base';
import type { MasterExtensionClient } from './client.js';
import type { Sender } from './connection.js';
import { ExplainRequestCodec, ExplanationCodec, KillTaskRequestCodec } from './extension-codecs.js';
import { masterExtensions } from './extensions.js';
import { bodyOf, discardBody } from './transport.js';

const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json' } as const;

export const extensionCalls = (send: Sender): MasterExtensionClient => ({
  async killTask(request) {
    const sent = await send('POST', masterExtensions.killTask.path, JSON_HEADERS, KillTaskRequestCodec.write(request));
    if (!sent.ok) return sent;
    await discardBody(sent.value);
    return ok(undefined);
  },
  async explain(request) {
    const path = `${masterExtensions.explain.path}?${ExplainRequestCodec.write(request)}`;
    const sent = await send('GET', path, { Accept: JSON_HEADERS.Accept });
    if (!sent.ok) return sent;
    const body = await bodyOf(sent.value);
    if (!body.ok) return body;
    const explanation = ExplanationCodec.parse(new TextDecoder().decode(body.value));
    return explanation.ok ? explanation : err({ code: 'invalidResponse', text: explanation.error });
  },
});
