// The client of Meseta's own endpoints.
import { err, ok, type Result } from '@meseta/base';
import type { CallError, MasterExtensionClient } from './client.js';
import type { Sender } from './connection.js';
import { type Explanation, masterExtensions } from './extensions.js';
import { bodyOf } from './transport.js';

const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json' } as const;

export const extensionCalls = (send: Sender): MasterExtensionClient => ({
  async killTask(request) {
    const sent = await send('POST', masterExtensions.killTask.path, JSON_HEADERS, JSON.stringify(request));
    if (!sent.ok) return sent;
    await bodyOf(sent.value);
    return ok(undefined);
  },
  async explain({ frameworkId, agentId, role, taskId }) {
    const asked = { framework_id: frameworkId, agent_id: agentId, role, task_id: taskId };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, value);
    const sent = await send('GET', `${masterExtensions.explain.path}?${query}`, { Accept: JSON_HEADERS.Accept });
    if (!sent.ok) return sent;
    return parsed<Explanation>(new TextDecoder().decode(await bodyOf(sent.value)));
  },
});

function parsed<T>(text: string): Result<T, CallError> {
  try {
    return ok(JSON.parse(text) as T);
  } catch {
    return err({ code: 'invalidResponse', text: 'expected JSON' });
  }
}
