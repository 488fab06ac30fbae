// The state of a whole cluster as one text, which must not change when every call was refused.
import assert from 'node:assert/strict';
import type { TestCluster } from '../testing.js';

const STATE = [
  'AGENTS',
  'FRAMEWORKS',
  'TASKS',
  'EXECUTORS',
  'OPERATIONS',
  'ROLES',
  'WEIGHTS',
  'QUOTA',
  'LOGGING_LEVEL',
];
const MASTER_STATE = [...STATE, 'MAINTENANCE_SCHEDULE', 'MAINTENANCE_STATUS'];
const AGENT_STATE = ['FRAMEWORKS', 'TASKS', 'EXECUTORS', 'OPERATIONS', 'LOGGING_LEVEL', 'AGENT'];

async function ask(address: string, type: string): Promise<string> {
  const answer = await fetch(`http://${address}/api/v1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ type }),
  });
  assert.equal(answer.status, 200, type);
  return answer.text();
}

/** Everything that an operator can see of the cluster, and how much was written to the registry. */
export async function digestOf({ master, agent }: TestCluster): Promise<string> {
  const parts: string[] = [];
  for (const what of MASTER_STATE) parts.push(await ask(master, `GET_${what}`));
  for (const what of AGENT_STATE) parts.push(await ask(agent, `GET_${what}`));
  const metrics = await fetch(`http://${master}/metrics/snapshot`).then((answer) => answer.json());
  parts.push(String((metrics as Record<string, number>)['registrar/registry_size_bytes']));
  return parts.join('\n');
}
