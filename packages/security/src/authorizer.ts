// Authorization: `Authorizer` is the interface for master and agent; the local authorizer decides by ACLs. A decision is
// data: one approver for a principal and an action. Approvers with equal keys decide alike, so that principals whose
// approvers have equal keys can share renderings and streams (docs/architecture.md).
//
// A token that has only claims (of executors and resource providers) permits actions on its own containers and nothing
// else, whatever the ACLs are, as in Mesos.
import type { Action } from '@meseta/api';
import type { ACLs, AuthorizationObject, ContainerID } from '@meseta/wire';
import { aclsIn } from './acls.js';
import { ACTION_RULES, type ActionRule, OBJECT_FIELDS } from './actions.js';
import type { Principal } from './principal.js';
import { type Verdicts, verdictOn, verdictsOf } from './verdicts.js';

/** Approvers of one action with equal keys decide alike. */
export type Approver =
  | { readonly kind: 'all' | 'none'; readonly key: string }
  | {
      readonly kind: 'some';
      readonly key: string;
      /** Without an object: whether the action is allowed on objects that no ACL names. */
      allows(object: AuthorizationObject | undefined): boolean;
    };

export interface Authorizer {
  /** The principal is undefined if the request was not authenticated. */
  approverFor(principal: Principal | undefined, action: Action): Approver;
}

export const ALL: Approver = { kind: 'all', key: '*' };
export const NONE: Approver = { kind: 'none', key: '-' };

export const allows = (approver: Approver, object?: AuthorizationObject): boolean =>
  approver.kind === 'some' ? approver.allows(object) : approver.kind === 'all';

/** Whether all of the objects are allowed. */
export const allowsAll = (approver: Approver, objects: readonly AuthorizationObject[]): boolean =>
  approver.kind === 'some' ? objects.every((object) => approver.allows(object)) : approver.kind === 'all';

/** Without `--acls` everything is allowed, except that a token with only claims is limited to its own containers. */
export const openAuthorizer: Authorizer = {
  approverFor: (principal, action) => (isBearer(principal) ? ownContainers(principal, action) : ALL),
};

/** A principal whose token has only claims. */
type Bearer = Principal & { readonly value?: undefined };

export const isBearer = (principal: Principal | undefined): principal is Bearer =>
  principal !== undefined && principal.value === undefined;

const MAX_KEPT_APPROVERS = 10_000;

export function createLocalAuthorizer(acls: ACLs): Authorizer {
  const approvers = new Map<string, Approver>();
  return {
    approverFor(principal, action) {
      if (isBearer(principal)) return ownContainers(principal, action);
      const name = principal === undefined ? action : `${action} ${principal.value}`;
      const found = approvers.get(name);
      if (found !== undefined) return found;
      const approver = approverOf(acls, principal?.value, ACTION_RULES[action]);
      if (approvers.size >= MAX_KEPT_APPROVERS) approvers.clear();
      approvers.set(name, approver);
      return approver;
    },
  };
}

/** The decision by ACLs; the principal is undefined for requests that were not authenticated. */
function approverOf(acls: ACLs, principal: string | undefined, rule: ActionRule): Approver {
  const permissive = acls.permissive ?? true;
  const verdicts = (list: ActionRule['list'], asRoles: boolean): Verdicts =>
    verdictsOf(aclsIn(acls, list), principal, permissive, asRoles);
  const { list, values, child } = rule;
  const own = verdicts(list, isRoleList(list));
  if (values === undefined) return own.otherwise ? ALL : NONE;
  const byObject = (object: AuthorizationObject | undefined): boolean => {
    if (object === undefined) return own.otherwise;
    const compared = values(object);
    return compared.length === 0 ? permissive : compared.every((value) => verdictOn(own, value));
  };
  if (child === undefined) return approver(own.key, byObject);
  const children = verdicts(child, false);
  if (own.key === '-' || children.key === '*') return approver(own.key, byObject);
  return {
    kind: 'some',
    key: `${own.key} ${children.key}`,
    allows: (object) =>
      byObject(object) && (object?.command_info === undefined || verdictOn(children, object.command_info.user)),
  };
}

const approver = (key: string, allows: (object: AuthorizationObject | undefined) => boolean): Approver =>
  key === '*' ? ALL : key === '-' ? NONE : { kind: 'some', key, allows };

/** Lists about roles, in which `a/%` is a subtree. */
const isRoleList = (list: ActionRule['list']): boolean => OBJECT_FIELDS[list] === 'roles';

function ownContainers({ claims }: Bearer, action: Action): Approver {
  const { implicit } = ACTION_RULES[action];
  const claim = implicit === undefined ? undefined : claims[implicit];
  // Every container's id begins with an empty prefix.
  if (claim === undefined || claim === '') return NONE;
  const isOwn = (id: ContainerID): boolean =>
    implicit === 'cid' ? rootOf(id).value === claim : id.value.startsWith(claim);
  return {
    kind: 'some',
    key: JSON.stringify([implicit, claim]),
    allows: (object) => object?.container_id !== undefined && isOwn(object.container_id),
  };
}

function rootOf(id: ContainerID): ContainerID {
  let root = id;
  while (root.parent !== undefined) root = root.parent;
  return root;
}
