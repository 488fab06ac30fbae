// Clients for tools: the operator API of masters and agents, with a type for every call.
import { type AgentClient, createAgentClient, createMasterClient, type MasterClient } from '@meseta/api';
import { type Credential, clientOptions } from './addresses.js';

export type { AgentClient, MasterClient } from '@meseta/api';

/** A client for the operator calls of a master. With the address of any master it follows redirects to the leader. */
export const connectMaster = (address: string, credential?: Credential): MasterClient =>
  createMasterClient(clientOptions(address, credential));

/** A client for the operator calls of an agent. */
export const connectAgent = (address: string, credential?: Credential): AgentClient =>
  createAgentClient(clientOptions(address, credential));
