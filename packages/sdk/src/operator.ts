// Clients for tools: the operator API of masters and agents, every call typed by its declaration.
import { type AgentClient, createAgentClient, createMasterClient, type MasterClient } from '@meseta/api';
import { type Credential, clientOptions } from './addresses.js';

export type { AgentClient, MasterClient } from '@meseta/api';

/** The master's operator calls; any master of the cluster will do, the client goes where the leader is. */
export const connectMaster = (address: string, credential?: Credential): MasterClient =>
  createMasterClient(clientOptions(address, credential));

/** One agent's operator calls. */
export const connectAgent = (address: string, credential?: Credential): AgentClient =>
  createAgentClient(clientOptions(address, credential));
