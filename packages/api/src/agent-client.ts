// The client of an agent's operator API.
import { AgentCallCodec, AgentResponseCodec } from '@meseta/wire/codecs';
import { agentCalls } from './agent-calls.js';
import type { AgentClient, ClientOptions } from './client.js';
import { connectTo } from './connection.js';
import { agentEndpoints } from './endpoints.js';
import { operatorCalls } from './operator-client.js';

export const createAgentClient = (options: ClientOptions): AgentClient =>
  operatorCalls(connectTo(options, agentEndpoints.operator.path, AgentCallCodec), agentCalls, AgentResponseCodec);
