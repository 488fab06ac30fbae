// Roles as /roles and GET_ROLES show them. The quantities of a role are those of its whole subtree.
import {
  addQuantities,
  allocationsByRole,
  ancestorsOf,
  fromThousandths,
  limitsFrom,
  noQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesOf,
  quantitiesToRecord,
  reservationsByRole,
  subtractQuantities,
} from '@meseta/resources';
import { quantitiesJson, stringsJson } from '@meseta/resources/v0-json';
import type { MasterResponseGetRoles, Resource, Role } from '@meseta/wire';
import { jsonDouble, jsonObject, jsonString } from '@meseta/wire/json';
import type { MasterState } from '../core/state.js';
import type { Approver } from './approver.js';
import { type Pieces, separated } from './pieces.js';
import { allocatedTo, offeredTo, type Snapshot, usedByFramework } from './snapshot.js';

interface RoleView {
  readonly name: string;
  readonly weight: number;
  readonly guarantees: Quantities;
  readonly limits: Quantities;
  readonly allocated: Quantities;
  readonly offered: Quantities;
  readonly reserved: Quantities;
  /** Counted against its quota: allocated resources and unallocated reservations. */
  readonly consumed: Quantities;
  readonly frameworks: readonly string[];
}

/** Quantities by role, those of its subtree. */
type ByRole = Map<string, Quantities>;

/** Adds to a role and to its ancestors, so that no role has to look for its subroles. */
function addTo(sums: ByRole, role: string, more: Quantities): void {
  for (const at of [role, ...ancestorsOf(role)]) sums.set(at, addQuantities(sums.get(at) ?? noQuantities, more));
}

/** The value of scalars; the number of elements of ranges and sets. */
function amountsOf(list: readonly Resource[]): Quantities {
  const counts: Record<string, number> = {};
  for (const { name, ranges, set } of list) {
    const inRanges = (ranges?.range ?? []).reduce((sum, { begin, end }) => sum + end - begin + 1, 0);
    const count = inRanges + (set?.item?.length ?? 0);
    if (count > 0) counts[name] = (counts[name] ?? 0) + count;
  }
  return addQuantities(quantitiesOf(list), quantitiesFrom(counts));
}

interface Sums {
  readonly allocated: ByRole;
  readonly offered: ByRole;
  readonly reserved: ByRole;
  readonly usedReservations: ByRole;
  readonly frameworks: Map<string, Set<string>>;
}

function sumsOf(snapshot: Snapshot): Sums {
  const sums: Sums = {
    allocated: new Map(),
    offered: new Map(),
    reserved: new Map(),
    usedReservations: new Map(),
    frameworks: new Map(),
  };
  const addFramework = (role: string, id: string): void => {
    const ids = sums.frameworks.get(role) ?? new Set();
    sums.frameworks.set(role, ids.add(id));
  };
  for (const view of snapshot.frameworks) {
    const { id, roles } = view.framework;
    for (const role of roles) addFramework(role, id);
    for (const [role, list] of allocationsByRole(usedByFramework(view))) {
      addTo(sums.allocated, role, amountsOf(list));
      addFramework(role, id);
    }
    for (const [role, list] of allocationsByRole(offeredTo(view))) {
      addTo(sums.offered, role, amountsOf(list));
      addFramework(role, id);
    }
    for (const { resources } of allocatedTo(view)) {
      for (const [role, list] of reservationsByRole(resources)) addTo(sums.usedReservations, role, amountsOf(list));
    }
  }
  for (const agent of snapshot.agents) {
    for (const [role, list] of reservationsByRole(agent.totalResources)) addTo(sums.reserved, role, amountsOf(list));
  }
  return sums;
}

/** Every role with a framework, a reservation, a weight or a quota, and its ancestors, sorted by name. */
function rolesOf(state: MasterState, snapshot: Snapshot, approver: Approver): readonly RoleView[] {
  const { durable } = state.registrar;
  const sums = sumsOf(snapshot);
  const named = state.options.roles ?? [
    ...sums.frameworks.keys(),
    ...sums.reserved.keys(),
    ...durable.weights.keys(),
    ...durable.quotas.keys(),
  ];
  const known = new Set<string>();
  for (const role of named) {
    known.add(role);
    for (const ancestor of ancestorsOf(role)) known.add(ancestor);
  }
  const frameworks = new Set(
    snapshot.frameworks.flatMap(({ framework }) => (approver.framework(framework) ? [framework.id as string] : [])),
  );
  return [...known]
    .filter((name) => approver.role(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const quota = durable.quotas.get(name);
      const allocated = sums.allocated.get(name) ?? noQuantities;
      const reserved = sums.reserved.get(name) ?? noQuantities;
      const unallocated = subtractQuantities(reserved, sums.usedReservations.get(name) ?? noQuantities);
      return {
        name,
        weight: durable.weights.get(name) ?? 1,
        guarantees: quantitiesFrom(quota?.guarantees ?? {}),
        limits: limitsFrom(quota?.limits ?? {}),
        allocated,
        offered: sums.offered.get(name) ?? noQuantities,
        reserved,
        consumed: addQuantities(allocated, unallocated),
        frameworks: [...(sums.frameworks.get(name) ?? [])].filter((id) => frameworks.has(id)),
      };
    });
}

const amounts = (quantities: Quantities): string => quantitiesJson(quantitiesToRecord(quantities));

const roleJson = (role: RoleView): string =>
  jsonObject([
    ['name', jsonString(role.name)],
    ['weight', jsonDouble(role.weight)],
    [
      'quota',
      jsonObject([
        ['role', jsonString(role.name)],
        ['guarantee', amounts(role.guarantees)],
        ['limit', amounts(role.limits)],
        ['consumed', amounts(role.consumed)],
      ]),
    ],
    ['resources', amounts(addQuantities(role.allocated, role.offered))],
    ['allocated', amounts(role.allocated)],
    ['offered', amounts(role.offered)],
    ['reserved', amounts(role.reserved)],
    ['frameworks', stringsJson(role.frameworks)],
  ]);

/** /roles */
export function* rolesDocument(state: MasterState, snapshot: Snapshot, approver: Approver): Pieces {
  const roles = rolesOf(state, snapshot, approver);
  yield '{"roles":[';
  yield* separated(roles, roleJson);
  yield ']}';
}

/** The resources that GET_ROLES shows, because all of them are scalars. */
const shown = new Set(['cpus', 'mem', 'disk', 'gpus']);

export function getRoles(state: MasterState, snapshot: Snapshot, approver: Approver): MasterResponseGetRoles {
  const roles = rolesOf(state, snapshot, approver).map((role): Role => {
    const { names, amounts: thousandths } = addQuantities(role.allocated, role.offered);
    const resources = names.flatMap((name, i) =>
      shown.has(name)
        ? [{ name, type: 'SCALAR' as const, scalar: { value: fromThousandths(thousandths[i] ?? 0) } }]
        : [],
    );
    return {
      name: role.name,
      weight: role.weight,
      ...(role.frameworks.length === 0 ? {} : { frameworks: role.frameworks.map((value) => ({ value })) }),
      ...(resources.length === 0 ? {} : { resources }),
    };
  });
  return roles.length === 0 ? {} : { roles };
}
