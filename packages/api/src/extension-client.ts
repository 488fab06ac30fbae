// The client of Meseta's own endpoints.
import { err, ok } from '@meseta/base';
import type { MasterExtensionClient } from './client.js';
import type { Sender } from './connection.js';
import { ExplainRequestCodec, ExplanationCodec, KillTaskRequestCodec } from './extension-codecs.js';
import { masterExtensions } from './extensions.js';
import { bodyOf } from './transport.js';

const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json' } as const;

export const extensionCalls = (send: Sender): MasterExtensionClient => ({
  async killTask(request) {
    const sent = await send('POST', masterExtensions.killTask.path, JSON_HEADERS, KillTaskRequestCodec.write(request));
    if (!sent.ok) return sent;
    await bodyOf(sent.value);
    return ok(undefined);
  },
  async explain(request) {
    const path = `${masterExtensions.explain.path}?${ExplainRequestCodec.write(request)}`;
    const sent = await send('GET', path, { Accept: JSON_HEADERS.Accept });
    if (!sent.ok) return sent;
    const explanation = ExplanationCodec.parse(new TextDecoder().decode(await bodyOf(sent.value)));
    return explanation.ok ? explanation : err({ code: 'invalidResponse', text: explanation.error });
  },
});
