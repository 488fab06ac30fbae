// Clients for tools: the operator API of masters and agents, with a type for every call.
import { type AgentClient, createAgentClient, createMasterClient, type MasterClient } from '@meseta/api';
import type { LeaderWait } from '@meseta/api/client';
import { type Sender, senderTo } from '@meseta/api/connection';
import { type Credential, clientOptions } from './addresses.js';
import { mastersOf } from './masters.js';

export type { AgentClient, MasterClient } from '@meseta/api';
export type { LeaderWait } from '@meseta/api/client';

/**
 * A client for the operator calls of the leading master: `127.0.0.1:5050` or a URL of any master, several of them, or the
 * `zk://`, `zks://`, `etcd://` or `etcds://` address of the service that elects the leader.
 */
export const connectMaster = (
  master: string | readonly string[],
  credential?: Credential,
  leaderWait?: LeaderWait,
): MasterClient => createMasterClient(clientOptions(mastersOf(master).find, credential, leaderWait));

/** Sends single requests to the leading master, for endpoints that are no call. */
export const masterSender = (master: string, credential?: Credential, leaderWait?: LeaderWait): Sender =>
  senderTo(clientOptions(mastersOf(master).find, credential, leaderWait));

/** A client for the operator calls of an agent. */
export const connectAgent = (address: string, credential?: Credential): AgentClient =>
  createAgentClient(clientOptions(address, credential));
