// Every action that Mesos authorizes: the list of ACLs about it, and the values of an object that these ACLs compare
// (Mesos: docs/authorization.md, mesos.ACLs, mesos.authorization.Action).
import type { Action } from '@meseta/api';
import type { ACLs, AuthorizationObject, Resource, TaskInfo } from '@meseta/wire';

export type AclList = Exclude<keyof ACLs, 'permissive'>;

/** The field of an ACL that holds its objects. */
export const OBJECT_FIELDS = {
  register_frameworks: 'roles',
  run_tasks: 'users',
  reserve_resources: 'roles',
  unreserve_resources: 'reserver_principals',
  create_volumes: 'roles',
  destroy_volumes: 'creator_principals',
  teardown_frameworks: 'framework_principals',
  update_weights: 'roles',
  get_endpoints: 'paths',
  get_quotas: 'roles',
  update_quotas: 'roles',
  view_frameworks: 'users',
  view_tasks: 'users',
  view_executors: 'users',
  access_sandboxes: 'users',
  access_mesos_logs: 'logs',
  view_roles: 'roles',
  view_flags: 'flags',
  launch_nested_containers_as_user: 'users',
  launch_nested_containers_under_parent_with_user: 'users',
  kill_nested_containers: 'users',
  wait_nested_containers: 'users',
  launch_nested_container_sessions_as_user: 'users',
  launch_nested_container_sessions_under_parent_with_user: 'users',
  attach_containers_input: 'users',
  attach_containers_output: 'users',
  view_containers: 'users',
  set_log_level: 'level',
  remove_nested_containers: 'users',
  register_agents: 'agents',
  update_maintenance_schedules: 'machines',
  get_maintenance_schedules: 'machines',
  start_maintenances: 'machines',
  stop_maintenances: 'machines',
  get_maintenance_statuses: 'machines',
  mark_agents_gone: 'agents',
  launch_standalone_containers: 'users',
  kill_standalone_containers: 'users',
  wait_standalone_containers: 'users',
  remove_standalone_containers: 'users',
  modify_resource_provider_configs: 'resource_providers',
  view_standalone_containers: 'users',
  prune_images: 'images',
  resize_volumes: 'roles',
  create_block_disks: 'roles',
  destroy_block_disks: 'roles',
  create_mount_disks: 'roles',
  destroy_mount_disks: 'roles',
  view_resource_providers: 'resource_providers',
  mark_resource_providers_gone: 'resource_providers',
  destroy_raw_disks: 'roles',
  drain_agents: 'agents',
  deactivate_agents: 'agents',
  reactivate_agents: 'agents',
} as const satisfies { readonly [List in AclList]: Exclude<keyof NonNullable<ACLs[List]>[number], 'principals'> };

/** The values of an object that ACLs compare, all of which must be allowed; undefined for an object without a value. */
type ValuesOf = (object: AuthorizationObject) => readonly (string | undefined)[];

export interface ActionRule {
  readonly list: AclList;
  /** Undefined: these ACLs do not distinguish objects, so theirs can only be ANY or NONE. */
  readonly values: ValuesOf | undefined;
  /** For nested containers: the list about the user of the new process. `list` is about the user of the parent. */
  readonly child?: AclList;
  /** The claim of a token that names the containers on which the token permits the action, whatever the ACLs are. */
  readonly implicit?: 'cid' | 'cid_prefix';
}

const withoutObjects = (list: AclList, implicit?: ActionRule['implicit']): ActionRule => ({
  list,
  values: undefined,
  ...(implicit && { implicit }),
});
const byValue = (list: AclList, compared: (object: AuthorizationObject) => string | undefined): ActionRule => ({
  list,
  values: (object) => [compared(object)],
});

const value = (object: AuthorizationObject): string | undefined => object.value;
const taskUser = (task: TaskInfo | undefined): string | undefined =>
  task?.command?.user ?? task?.executor?.command?.user;
const frameworkUser = ({ framework_info }: AuthorizationObject): string | undefined => framework_info?.user;
const executorUser = (object: AuthorizationObject): string | undefined =>
  object.executor_info?.command?.user ?? frameworkUser(object) ?? object.value;
const containerUser = (object: AuthorizationObject): string | undefined =>
  executorUser(object) ?? object.container_id?.value;

const innermost = (resource: Resource) => resource.reservations?.at(-1);
const resourceRole = ({ resource, value }: AuthorizationObject): string | undefined =>
  resource === undefined ? value : (innermost(resource)?.role ?? resource.role ?? '*');

const frameworkRoles: ValuesOf = ({ framework_info, value }) => {
  if (framework_info === undefined) return [value];
  const multiRole = framework_info.capabilities?.some(({ type }) => type === 'MULTI_ROLE') ?? false;
  return multiRole ? (framework_info.roles ?? []) : [framework_info.role ?? '*'];
};

const registerFramework: ActionRule = { list: 'register_frameworks', values: frameworkRoles };
const reserve = byValue('reserve_resources', resourceRole);
const createVolume = byValue('create_volumes', resourceRole);
const updateWeight = byValue('update_weights', ({ weight_info, value }) => weight_info?.role ?? value);
const getQuota = byValue('get_quotas', value);
const updateQuota = byValue('update_quotas', ({ quota_info, value }) => quota_info?.role ?? value);
const teardown = byValue('teardown_frameworks', ({ framework_info, value }) =>
  framework_info === undefined ? value : (framework_info.principal ?? ''),
);
const unreserve = byValue('unreserve_resources', ({ resource, value }) =>
  resource === undefined ? value : (innermost(resource)?.principal ?? resource.reservation?.principal ?? ''),
);
const destroyVolume = byValue('destroy_volumes', ({ resource, value }) =>
  resource === undefined ? value : (resource.disk?.persistence?.principal ?? ''),
);
const nested = (list: AclList): ActionRule => ({ ...byValue(list, containerUser), implicit: 'cid' });

export const ACTION_RULES: { readonly [A in Action]: ActionRule } = {
  REGISTER_FRAMEWORK: registerFramework,
  REGISTER_FRAMEWORK_WITH_ROLE: registerFramework,
  RUN_TASK: byValue('run_tasks', (object) => taskUser(object.task_info) ?? frameworkUser(object) ?? object.value),
  TEARDOWN_FRAMEWORK: teardown,
  TEARDOWN_FRAMEWORK_WITH_PRINCIPAL: teardown,
  RESERVE_RESOURCES: reserve,
  RESERVE_RESOURCES_WITH_ROLE: reserve,
  UNRESERVE_RESOURCES: unreserve,
  UNRESERVE_RESOURCES_WITH_PRINCIPAL: unreserve,
  CREATE_VOLUME: createVolume,
  CREATE_VOLUME_WITH_ROLE: createVolume,
  DESTROY_VOLUME: destroyVolume,
  DESTROY_VOLUME_WITH_PRINCIPAL: destroyVolume,
  RESIZE_VOLUME: byValue('resize_volumes', resourceRole),
  CREATE_BLOCK_DISK: byValue('create_block_disks', resourceRole),
  DESTROY_BLOCK_DISK: byValue('destroy_block_disks', resourceRole),
  CREATE_MOUNT_DISK: byValue('create_mount_disks', resourceRole),
  DESTROY_MOUNT_DISK: byValue('destroy_mount_disks', resourceRole),
  DESTROY_RAW_DISK: byValue('destroy_raw_disks', resourceRole),
  GET_ENDPOINT_WITH_PATH: byValue('get_endpoints', value),
  VIEW_ROLE: byValue('view_roles', value),
  UPDATE_WEIGHT: updateWeight,
  UPDATE_WEIGHT_WITH_ROLE: updateWeight,
  GET_QUOTA: getQuota,
  GET_QUOTA_WITH_ROLE: getQuota,
  UPDATE_QUOTA: updateQuota,
  UPDATE_QUOTA_WITH_CONFIG: updateQuota,
  VIEW_FRAMEWORK: byValue('view_frameworks', (object) => frameworkUser(object) ?? object.value),
  VIEW_TASK: byValue(
    'view_tasks',
    (object) => object.task?.user ?? taskUser(object.task_info) ?? frameworkUser(object) ?? object.value,
  ),
  VIEW_EXECUTOR: byValue('view_executors', executorUser),
  ACCESS_SANDBOX: byValue('access_sandboxes', executorUser),
  ACCESS_MESOS_LOG: withoutObjects('access_mesos_logs'),
  VIEW_FLAGS: withoutObjects('view_flags'),
  LAUNCH_NESTED_CONTAINER: {
    ...nested('launch_nested_containers_under_parent_with_user'),
    child: 'launch_nested_containers_as_user',
  },
  LAUNCH_NESTED_CONTAINER_SESSION: {
    ...nested('launch_nested_container_sessions_under_parent_with_user'),
    child: 'launch_nested_container_sessions_as_user',
  },
  KILL_NESTED_CONTAINER: nested('kill_nested_containers'),
  WAIT_NESTED_CONTAINER: nested('wait_nested_containers'),
  REMOVE_NESTED_CONTAINER: nested('remove_nested_containers'),
  ATTACH_CONTAINER_INPUT: byValue('attach_containers_input', containerUser),
  ATTACH_CONTAINER_OUTPUT: nested('attach_containers_output'),
  VIEW_CONTAINER: byValue('view_containers', executorUser),
  SET_LOG_LEVEL: withoutObjects('set_log_level'),
  REGISTER_AGENT: withoutObjects('register_agents'),
  UPDATE_MAINTENANCE_SCHEDULE: withoutObjects('update_maintenance_schedules'),
  GET_MAINTENANCE_SCHEDULE: withoutObjects('get_maintenance_schedules'),
  START_MAINTENANCE: withoutObjects('start_maintenances'),
  STOP_MAINTENANCE: withoutObjects('stop_maintenances'),
  GET_MAINTENANCE_STATUS: withoutObjects('get_maintenance_statuses'),
  DRAIN_AGENT: withoutObjects('drain_agents'),
  DEACTIVATE_AGENT: withoutObjects('deactivate_agents'),
  REACTIVATE_AGENT: withoutObjects('reactivate_agents'),
  MARK_AGENT_GONE: withoutObjects('mark_agents_gone'),
  LAUNCH_STANDALONE_CONTAINER: withoutObjects('launch_standalone_containers', 'cid_prefix'),
  KILL_STANDALONE_CONTAINER: withoutObjects('kill_standalone_containers', 'cid_prefix'),
  WAIT_STANDALONE_CONTAINER: withoutObjects('wait_standalone_containers', 'cid_prefix'),
  REMOVE_STANDALONE_CONTAINER: withoutObjects('remove_standalone_containers', 'cid_prefix'),
  VIEW_STANDALONE_CONTAINER: withoutObjects('view_standalone_containers', 'cid_prefix'),
  MODIFY_RESOURCE_PROVIDER_CONFIG: withoutObjects('modify_resource_provider_configs'),
  MARK_RESOURCE_PROVIDER_GONE: withoutObjects('mark_resource_providers_gone'),
  VIEW_RESOURCE_PROVIDER: withoutObjects('view_resource_providers'),
  PRUNE_IMAGES: withoutObjects('prune_images'),
};
