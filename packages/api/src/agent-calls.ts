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
    summary: 'The frameworks with tasks on this agent.',
  },
  GET_AGENT: { access: 'reads', response: 'get_agent', summary: 'The info of this agent.' },
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
    summary: 'Launches a container in another (deprecated).',
  },
  WAIT_NESTED_CONTAINER: {
    access: 'reads',
    request: 'wait_nested_container',
    response: 'wait_nested_container',
    action: 'WAIT_NESTED_CONTAINER',
    summary: 'Responds when a nested container has ended (deprecated).',
  },
  KILL_NESTED_CONTAINER: {
    access: 'changes',
    request: 'kill_nested_container',
    action: 'KILL_NESTED_CONTAINER',
    summary: 'Signals a nested container (deprecated).',
  },
  REMOVE_NESTED_CONTAINER: {
    access: 'changes',
    request: 'remove_nested_container',
    action: 'REMOVE_NESTED_CONTAINER',
    summary: 'Removes the files of a nested container that has ended (deprecated).',
  },
  LAUNCH_NESTED_CONTAINER_SESSION: {
    access: 'changes',
    request: 'launch_nested_container_session',
    response: 'stream',
    action: 'LAUNCH_NESTED_CONTAINER_SESSION',
    summary: 'Launches a nested container and streams its output; the container ends with the stream.',
  },
  ATTACH_CONTAINER_INPUT: {
    access: 'changes',
    request: 'attach_container_input',
    streamsIn: true,
    action: 'ATTACH_CONTAINER_INPUT',
    summary: "Writes to a container's input.",
  },
  ATTACH_CONTAINER_OUTPUT: {
    access: 'reads',
    request: 'attach_container_output',
    response: 'stream',
    action: 'ATTACH_CONTAINER_OUTPUT',
    summary: "Streams a container's output.",
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
    summary: 'Responds when a container has ended.',
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
    summary: 'Removes the files of a container that has ended.',
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
    summary: 'Updates a resource provider.',
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
    summary: 'Marks a resource provider as gone permanently.',
  },
  PRUNE_IMAGES: {
    access: 'changes',
    request: 'prune_images',
    requestOptional: true,
    action: 'PRUNE_IMAGES',
    summary: 'Removes unused images.',
  },
} as const satisfies CallTable<AgentCallType, AgentCall, AgentResponse>;

export type AgentCalls = typeof agentCalls;
