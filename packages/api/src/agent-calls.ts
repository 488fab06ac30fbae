// An agent's v1 operator calls (mesos.v1.agent; Mesos: docs/operator-http-api.md).
import type { AgentCall, AgentCallType, AgentResponse } from '@meseta/wire';
import { commonCalls } from './common-calls.js';
import type { CallTable } from './types.js';

export const agentCalls = {
  GET_HEALTH: { access: 'reads', response: 'get_health', summary: 'Whether the agent is healthy.' },
  ...commonCalls,
  LIST_FILES: {
    access: 'reads',
    request: 'list_files',
    response: 'list_files',
    action: 'ACCESS_SANDBOX',
    summary: 'Lists a directory.',
  },
  READ_FILE: {
    access: 'reads',
    request: 'read_file',
    response: 'read_file',
    action: 'ACCESS_SANDBOX',
    summary: 'Part of a file.',
  },
  GET_CONTAINERS: {
    access: 'reads',
    response: 'get_containers',
    action: 'VIEW_CONTAINER',
    summary: 'The containers, their status and statistics.',
  },
  GET_FRAMEWORKS: {
    access: 'reads',
    response: 'get_frameworks',
    action: 'VIEW_FRAMEWORK',
    summary: 'The frameworks with work here.',
  },
  GET_AGENT: { access: 'reads', response: 'get_agent', summary: 'What this agent is.' },
  GET_RESOURCE_PROVIDERS: {
    access: 'reads',
    response: 'get_resource_providers',
    action: 'VIEW_RESOURCE_PROVIDER',
    summary: 'The resource providers.',
  },
  LAUNCH_NESTED_CONTAINER: {
    access: 'changes',
    request: 'launch_nested_container',
    action: 'LAUNCH_NESTED_CONTAINER',
    summary: 'Launches a container in another (the old way).',
  },
  WAIT_NESTED_CONTAINER: {
    access: 'reads',
    request: 'wait_nested_container',
    response: 'wait_nested_container',
    action: 'WAIT_NESTED_CONTAINER',
    summary: 'Answers when a nested container has ended (the old way).',
  },
  KILL_NESTED_CONTAINER: {
    access: 'changes',
    request: 'kill_nested_container',
    action: 'KILL_NESTED_CONTAINER',
    summary: 'Signals a nested container (the old way).',
  },
  REMOVE_NESTED_CONTAINER: {
    access: 'changes',
    request: 'remove_nested_container',
    action: 'REMOVE_NESTED_CONTAINER',
    summary: 'Removes what an ended nested container left (the old way).',
  },
  LAUNCH_NESTED_CONTAINER_SESSION: {
    access: 'changes',
    request: 'launch_nested_container_session',
    response: 'stream',
    action: 'LAUNCH_NESTED_CONTAINER_SESSION',
    summary: 'Launches a nested container that lives as long as this stream of its output.',
  },
  ATTACH_CONTAINER_INPUT: {
    access: 'changes',
    request: 'attach_container_input',
    streamsIn: true,
    action: 'ATTACH_CONTAINER_INPUT',
    summary: "Feeds a container's input.",
  },
  ATTACH_CONTAINER_OUTPUT: {
    access: 'reads',
    request: 'attach_container_output',
    response: 'stream',
    action: 'ATTACH_CONTAINER_OUTPUT',
    summary: "Follows a container's output.",
  },
  LAUNCH_CONTAINER: {
    access: 'changes',
    request: 'launch_container',
    action: 'LAUNCH_STANDALONE_CONTAINER',
    summary: 'Launches a container, nested or standalone.',
  },
  WAIT_CONTAINER: {
    access: 'reads',
    request: 'wait_container',
    response: 'wait_container',
    action: 'WAIT_STANDALONE_CONTAINER',
    summary: 'Answers when a container has ended.',
  },
  KILL_CONTAINER: {
    access: 'changes',
    request: 'kill_container',
    action: 'KILL_STANDALONE_CONTAINER',
    summary: 'Signals a container.',
  },
  REMOVE_CONTAINER: {
    access: 'changes',
    request: 'remove_container',
    action: 'REMOVE_STANDALONE_CONTAINER',
    summary: 'Removes what an ended container left.',
  },
  ADD_RESOURCE_PROVIDER_CONFIG: {
    access: 'changes',
    request: 'add_resource_provider_config',
    action: 'MODIFY_RESOURCE_PROVIDER_CONFIG',
    summary: 'Adds a resource provider.',
  },
  UPDATE_RESOURCE_PROVIDER_CONFIG: {
    access: 'changes',
    request: 'update_resource_provider_config',
    action: 'MODIFY_RESOURCE_PROVIDER_CONFIG',
    summary: 'Changes a resource provider.',
  },
  REMOVE_RESOURCE_PROVIDER_CONFIG: {
    access: 'changes',
    request: 'remove_resource_provider_config',
    action: 'MODIFY_RESOURCE_PROVIDER_CONFIG',
    summary: 'Removes a resource provider.',
  },
  MARK_RESOURCE_PROVIDER_GONE: {
    access: 'changes',
    request: 'mark_resource_provider_gone',
    action: 'MARK_RESOURCE_PROVIDER_GONE',
    summary: 'Declares a resource provider lost for good.',
  },
  PRUNE_IMAGES: {
    access: 'changes',
    request: 'prune_images',
    requestOptional: true,
    action: 'PRUNE_IMAGES',
    summary: 'Removes images that nothing uses.',
  },
} as const satisfies CallTable<AgentCallType, AgentCall, AgentResponse>;

export type AgentCalls = typeof agentCalls;
