// The master's v1 operator calls (mesos.v1.master; Mesos: docs/operator-http-api.md).
import type { MasterCall, MasterCallType, MasterResponse } from '@meseta/wire';
import { commonCalls } from './common-calls.js';
import type { CallTable } from './types.js';

export const masterCalls = {
  GET_HEALTH: { access: 'reads', response: 'get_health', summary: 'Whether the master is healthy.' },
  ...commonCalls,
  LIST_FILES: { access: 'reads', request: 'list_files', response: 'list_files', summary: 'Lists a directory.' },
  READ_FILE: { access: 'reads', request: 'read_file', response: 'read_file', summary: 'Part of a file.' },
  GET_AGENTS: { access: 'reads', response: 'get_agents', summary: 'The agents.' },
  GET_FRAMEWORKS: { access: 'reads', response: 'get_frameworks', action: 'VIEW_FRAMEWORK', summary: 'The frameworks.' },
  GET_ROLES: { access: 'reads', response: 'get_roles', action: 'VIEW_ROLE', summary: 'The roles.' },
  GET_WEIGHTS: { access: 'reads', response: 'get_weights', action: 'VIEW_ROLE', summary: 'The weights of roles.' },
  UPDATE_WEIGHTS: {
    access: 'changes',
    request: 'update_weights',
    action: 'UPDATE_WEIGHT',
    summary: 'Sets the weights of roles.',
  },
  GET_MASTER: { access: 'reads', response: 'get_master', summary: 'The leading master.' },
  SUBSCRIBE: { access: 'reads', response: 'stream', summary: 'The state, followed by all changes.' },
  RESERVE_RESOURCES: {
    access: 'changes',
    request: 'reserve_resources',
    action: 'RESERVE_RESOURCES',
    summary: 'Reserves resources of an agent.',
  },
  UNRESERVE_RESOURCES: {
    access: 'changes',
    request: 'unreserve_resources',
    action: 'UNRESERVE_RESOURCES',
    summary: 'Unreserves resources of an agent.',
  },
  CREATE_VOLUMES: {
    access: 'changes',
    request: 'create_volumes',
    action: 'CREATE_VOLUME',
    summary: 'Creates persistent volumes.',
  },
  DESTROY_VOLUMES: {
    access: 'changes',
    request: 'destroy_volumes',
    action: 'DESTROY_VOLUME',
    summary: 'Destroys persistent volumes.',
  },
  GROW_VOLUME: {
    access: 'changes',
    request: 'grow_volume',
    action: 'RESIZE_VOLUME',
    summary: 'Grows a persistent volume.',
  },
  SHRINK_VOLUME: {
    access: 'changes',
    request: 'shrink_volume',
    action: 'RESIZE_VOLUME',
    summary: 'Shrinks a persistent volume.',
  },
  GET_MAINTENANCE_STATUS: {
    access: 'reads',
    response: 'get_maintenance_status',
    action: 'GET_MAINTENANCE_STATUS',
    summary: 'The machines that are draining or down.',
  },
  GET_MAINTENANCE_SCHEDULE: {
    access: 'reads',
    response: 'get_maintenance_schedule',
    action: 'GET_MAINTENANCE_SCHEDULE',
    summary: 'The maintenance schedule.',
  },
  UPDATE_MAINTENANCE_SCHEDULE: {
    access: 'changes',
    request: 'update_maintenance_schedule',
    action: 'UPDATE_MAINTENANCE_SCHEDULE',
    summary: 'Replaces the maintenance schedule.',
  },
  START_MAINTENANCE: {
    access: 'changes',
    request: 'start_maintenance',
    action: 'START_MAINTENANCE',
    summary: 'Takes machines down for maintenance.',
  },
  STOP_MAINTENANCE: {
    access: 'changes',
    request: 'stop_maintenance',
    action: 'STOP_MAINTENANCE',
    summary: 'Brings machines back.',
  },
  DRAIN_AGENT: {
    access: 'changes',
    request: 'drain_agent',
    action: 'DRAIN_AGENT',
    summary: 'Deactivates an agent and kills its tasks.',
  },
  DEACTIVATE_AGENT: {
    access: 'changes',
    request: 'deactivate_agent',
    action: 'DEACTIVATE_AGENT',
    summary: 'Stops offers of an agent.',
  },
  REACTIVATE_AGENT: {
    access: 'changes',
    request: 'reactivate_agent',
    action: 'REACTIVATE_AGENT',
    summary: 'Resumes offers of an agent.',
  },
  GET_QUOTA: { access: 'reads', response: 'get_quota', action: 'GET_QUOTA', summary: 'The quota.' },
  UPDATE_QUOTA: {
    access: 'changes',
    request: 'update_quota',
    action: 'UPDATE_QUOTA',
    summary: 'Sets guarantees and limits of roles.',
  },
  SET_QUOTA: {
    access: 'changes',
    request: 'set_quota',
    action: 'UPDATE_QUOTA',
    summary: 'Sets the quota of a role (deprecated).',
  },
  REMOVE_QUOTA: {
    access: 'changes',
    request: 'remove_quota',
    action: 'UPDATE_QUOTA',
    summary: 'Removes the quota of a role (deprecated).',
  },
  TEARDOWN: {
    access: 'changes',
    request: 'teardown',
    action: 'TEARDOWN_FRAMEWORK',
    summary: 'Removes a framework and kills its tasks.',
  },
  MARK_AGENT_GONE: {
    access: 'changes',
    request: 'mark_agent_gone',
    action: 'MARK_AGENT_GONE',
    summary: 'Marks an agent as gone permanently.',
  },
} as const satisfies CallTable<MasterCallType, MasterCall, MasterResponse>;

export type MasterCalls = typeof masterCalls;
