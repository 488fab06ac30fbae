// Every action that Mesos authorizes: which list of ACLs speaks of it, and what of an object they compare
// (Mesos: docs/authorization.md; facts: mesos.ACLs, mesos.authorization.Action).
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

/** What of an object the ACLs compare; undefined where it names nothing in particular. More than one: all must be allowed. */
type ValuesOf = (object: AuthorizationObject) => readonly (string | undefined)[];

export interface ActionRule {
  readonly list: AclList;
  /** Undefined: these ACLs tell no object from another, and may only say ANY or NONE. */
  readonly values: ValuesOf | undefined;
  /** For nested containers: the list about the user that the new process gets. `list` is about its parent's. */
  readonly child?: AclList;
  /** What a token's bearer may do to its own containers, whatever the ACLs say: the claim that names them. */
  readonly implicit?: 'cid' | 'cid_prefix';
}

const none = (list: AclList, implicit?: ActionRule['implicit']): ActionRule => ({
  list,
  values: undefined,
  ...(implicit && { implicit }),
});
const some = (list: AclList, compared: (object: AuthorizationObject) => string | undefined): ActionRule => ({
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
const reserve = some('reserve_resources', resourceRole);
const createVolume = some('create_volumes', resourceRole);
const updateWeight = some('update_weights', ({ weight_info, value }) => weight_info?.role ?? value);
const getQuota = some('get_quotas', value);
const updateQuota = some('update_quotas', ({ quota_info, value }) => quota_info?.role ?? value);
const teardown = some('teardown_frameworks', ({ framework_info, value }) =>
  framework_info === undefined ? value : (framework_info.principal ?? ''),
);
const unreserve = some('unreserve_resources', ({ resource, value }) =>
  resource === undefined ? value : (innermost(resource)?.principal ?? resource.reservation?.principal ?? ''),
);
const destroyVolume = some('destroy_volumes', ({ resource, value }) =>
  resource === undefined ? value : (resource.disk?.persistence?.principal ?? ''),
);
const nested = (list: AclList): ActionRule => ({ ...some(list, containerUser), implicit: 'cid' });

export const ACTION_RULES: { readonly [A in Action]: ActionRule } = {
  REGISTER_FRAMEWORK: registerFramework,
  REGISTER_FRAMEWORK_WITH_ROLE: registerFramework,
  RUN_TASK: some('run_tasks', (object) => taskUser(object.task_info) ?? frameworkUser(object) ?? object.value),
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
  RESIZE_VOLUME: some('resize_volumes', resourceRole),
  CREATE_BLOCK_DISK: some('create_block_disks', resourceRole),
  DESTROY_BLOCK_DISK: some('destroy_block_disks', resourceRole),
  CREATE_MOUNT_DISK: some('create_mount_disks', resourceRole),
  DESTROY_MOUNT_DISK: some('destroy_mount_disks', resourceRole),
  DESTROY_RAW_DISK: some('destroy_raw_disks', resourceRole),
  GET_ENDPOINT_WITH_PATH: some('get_endpoints', value),
  VIEW_ROLE: some('view_roles', value),
  UPDATE_WEIGHT: updateWeight,
  UPDATE_WEIGHT_WITH_ROLE: updateWeight,
  GET_QUOTA: getQuota,
  GET_QUOTA_WITH_ROLE: getQuota,
  UPDATE_QUOTA: updateQuota,
  UPDATE_QUOTA_WITH_CONFIG: updateQuota,
  VIEW_FRAMEWORK: some('view_frameworks', (object) => frameworkUser(object) ?? object.value),
  VIEW_TASK: some(
    'view_tasks',
    (object) => object.task?.user ?? taskUser(object.task_info) ?? frameworkUser(object) ?? object.value,
  ),
  VIEW_EXECUTOR: some('view_executors', executorUser),
  ACCESS_SANDBOX: some('access_sandboxes', executorUser),
  ACCESS_MESOS_LOG: none('access_mesos_logs'),
  VIEW_FLAGS: none('view_flags'),
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
  ATTACH_CONTAINER_INPUT: some('attach_containers_input', containerUser),
  ATTACH_CONTAINER_OUTPUT: nested('attach_containers_output'),
  VIEW_CONTAINER: some('view_containers', executorUser),
  SET_LOG_LEVEL: none('set_log_level'),
  REGISTER_AGENT: none('register_agents'),
  UPDATE_MAINTENANCE_SCHEDULE: none('update_maintenance_schedules'),
  GET_MAINTENANCE_SCHEDULE: none('get_maintenance_schedules'),
  START_MAINTENANCE: none('start_maintenances'),
  STOP_MAINTENANCE: none('stop_maintenances'),
  GET_MAINTENANCE_STATUS: none('get_maintenance_statuses'),
  DRAIN_AGENT: none('drain_agents'),
  DEACTIVATE_AGENT: none('deactivate_agents'),
  REACTIVATE_AGENT: none('reactivate_agents'),
  MARK_AGENT_GONE: none('mark_agents_gone'),
  LAUNCH_STANDALONE_CONTAINER: none('launch_standalone_containers', 'cid_prefix'),
  KILL_STANDALONE_CONTAINER: none('kill_standalone_containers', 'cid_prefix'),
  WAIT_STANDALONE_CONTAINER: none('wait_standalone_containers', 'cid_prefix'),
  REMOVE_STANDALONE_CONTAINER: none('remove_standalone_containers', 'cid_prefix'),
  VIEW_STANDALONE_CONTAINER: none('view_standalone_containers', 'cid_prefix'),
  MODIFY_RESOURCE_PROVIDER_CONFIG: none('modify_resource_provider_configs'),
  MARK_RESOURCE_PROVIDER_GONE: none('mark_resource_providers_gone'),
  VIEW_RESOURCE_PROVIDER: none('view_resource_providers'),
  PRUNE_IMAGES: none('prune_images'),
};
