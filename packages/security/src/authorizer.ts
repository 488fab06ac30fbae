// Who may do what. `Authorizer` is the interface that master and agent ask; the local authorizer answers from ACLs.
// An answer is data: what a principal may see of a view is one approver, and approvers with equal keys see the same,
// so that renderings and streams can be shared among equals (docs/architecture.md).
//
// Whoever holds a token that names only claims (executors, resource providers) may act on their own containers
// and on nothing else, whatever the ACLs say, as in Mesos.
import type { Action } from '@meseta/api';
import type { ACLs, AuthorizationObject, ContainerID } from '@meseta/wire';
import { aclsIn } from './acls.js';
import { ACTION_RULES, type ActionRule, OBJECT_FIELDS } from './actions.js';
import type { Principal } from './principal.js';
import { type Verdicts, verdictOn, verdictsOf } from './verdicts.js';

/** Equal keys of one action's approvers mean equal answers. */
export type Approver =
  | { readonly kind: 'all' | 'none'; readonly key: string }
  | {
      readonly kind: 'some';
      readonly key: string;
      /** Undefined asks about no object in particular: only who may do it to any may. */
      allows(object: AuthorizationObject | undefined): boolean;
    };

export interface Authorizer {
  /** Undefined is whoever did not authenticate. */
  approverFor(principal: Principal | undefined, action: Action): Approver;
}

export const ALL: Approver = { kind: 'all', key: '*' };
export const NONE: Approver = { kind: 'none', key: '-' };

export const allows = (approver: Approver, object?: AuthorizationObject): boolean =>
  approver.kind === 'some' ? approver.allows(object) : approver.kind === 'all';

/** All of the objects, or not. */
export const allowsAll = (approver: Approver, objects: readonly AuthorizationObject[]): boolean =>
  approver.kind === 'some' ? objects.every((object) => approver.allows(object)) : approver.kind === 'all';

/** Without `--acls` everybody may do everything, but for the bearer of a token of claims, who has its own containers. */
export const openAuthorizer: Authorizer = {
  approverFor: (principal, action) => (isBearer(principal) ? ownContainers(principal, action) : ALL),
};

/** Whoever is known by a token's claims alone. */
type Bearer = Principal & { readonly value?: undefined };

export const isBearer = (principal: Principal | undefined): principal is Bearer =>
  principal !== undefined && principal.value === undefined;

const MAX_REMEMBERED = 10_000;

export function createLocalAuthorizer(acls: ACLs): Authorizer {
  const known = new Map<string, Approver>();
  return {
    approverFor(principal, action) {
      if (isBearer(principal)) return ownContainers(principal, action);
      const name = principal === undefined ? action : `${action} ${principal.value}`;
      const found = known.get(name);
      if (found !== undefined) return found;
      const approver = approverOf(acls, principal?.value, ACTION_RULES[action]);
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(name, approver);
      return approver;
    },
  };
}

/** By ACLs alone, for one who is named or, undefined, for nobody in particular. */
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
      byObject(object) &&
      (object?.command_info === undefined || verdictOn(children, object.command_info.user ?? undefined)),
  };
}

const approver = (key: string, allows: (object: AuthorizationObject | undefined) => boolean): Approver =>
  key === '*' ? ALL : key === '-' ? NONE : { kind: 'some', key, allows };

/** Lists about roles, in which `a/%` is a subtree. */
const isRoleList = (list: ActionRule['list']): boolean => OBJECT_FIELDS[list] === 'roles';

function ownContainers({ claims }: Bearer, action: Action): Approver {
  const { implicit } = ACTION_RULES[action];
  const claim = implicit === undefined ? undefined : claims[implicit];
  // An empty prefix would be that of every container.
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
