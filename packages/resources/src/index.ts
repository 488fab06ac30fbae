// The public signatures of this room. Everything takes and gives lists in the post-refinement
// format unless its name says otherwise; nothing changes its arguments.
import type { Result } from '@meseta/base';
import type { Attribute, OfferOperation, Resource, ResourceReservationInfo } from '@meseta/wire';

// --- lists of resources (algebra.ts, kinds.ts, lists.ts)
/** A list in which what can merge is merged and nothing is empty. A shared resource stands in it once a copy. */
export type Resources = readonly Resource[];

export declare function merge(list: readonly Resource[]): Resources;
export declare function add(a: Resources, b: Resources): Resources;
/** What `b` has and `a` not is ignored. */
export declare function subtract(a: Resources, b: Resources): Resources;
export declare function contains(a: Resources, b: Resources): boolean;
export declare function equals(a: Resources, b: Resources): boolean;
export declare function resourceEquals(a: Resource, b: Resource): boolean;
/** Targets matched first in their own role, then unreserved, then any. */
export declare function find(pool: Resources, targets: Resources): Resources | undefined;

export declare function isEmpty(resource: Resource): boolean;
export declare function isReserved(resource: Resource, role?: string): boolean;
export declare function isUnreserved(resource: Resource): boolean;
export declare function isDynamicallyReserved(resource: Resource): boolean;
export declare function hasRefinedReservations(resource: Resource): boolean;
export declare function isRevocable(resource: Resource): boolean;
export declare function isShared(resource: Resource): boolean;
export declare function isScalar(resource: Resource): boolean;
export declare function isPersistentVolume(resource: Resource): boolean;
export declare function isAllocatableTo(resource: Resource, role: string): boolean;
export declare function isReservedToSubtree(resource: Resource, role: string): boolean;
/** Dynamic reservations and volumes (not of providers): what an agent checkpoints. */
export declare function needsCheckpoint(resource: Resource): boolean;
/** Role of the innermost reservation; undefined when unreserved. */
export declare function reservationRole(resource: Resource): string | undefined;

export declare function reserved(list: Resources, role?: string): Resources;
export declare function unreserved(list: Resources): Resources;
export declare function revocable(list: Resources): Resources;
export declare function nonRevocable(list: Resources): Resources;
export declare function shared(list: Resources): Resources;
export declare function nonShared(list: Resources): Resources;
export declare function persistentVolumes(list: Resources): Resources;
export declare function scalars(list: Resources): Resources;
export declare function nonScalars(list: Resources): Resources;
export declare function allocatableTo(list: Resources, role: string): Resources;
export declare function reservationsByRole(list: Resources): Map<string, Resources>;
export declare function allocationsByRole(list: Resources): Map<string, Resources>;
export declare function toUnreserved(list: Resources): Resources;
export declare function pushReservation(list: Resources, reservation: ResourceReservationInfo): Resources;
export declare function popReservation(list: Resources): Resources;
export declare function allocate(list: Resources, role: string): Resources;
export declare function unallocate(list: Resources): Resources;
/** Each shared resource once, whatever its copies: as messages show it. */
export declare function distinctShared(list: Resources): Resources;

// --- quantities (quantities.ts): scalars' totals by name, in thousandths
/** Parallel arrays, sorted by name (code units), no zero amounts, frozen. */
export interface Quantities {
  readonly names: readonly string[];
  readonly amounts: readonly number[];
}
/** Limits: as Quantities, but a zero is kept; a name that isn't there has no limit. */
export type Limits = Quantities;
export declare const noQuantities: Quantities;
export declare function toThousandths(value: number): number;
export declare function fromThousandths(amount: number): number;
export declare function quantitiesOf(list: Resources): Quantities;
export declare function quantitiesFrom(
  values: Readonly<Record<string, number | { readonly value: number }>>,
): Quantities;
export declare function limitsFrom(values: Readonly<Record<string, number | { readonly value: number }>>): Limits;
export declare function quantity(q: Quantities, name: string): number;
/** Undefined: no limit. */
export declare function limit(limits: Limits, name: string): number | undefined;
export declare function addQuantities(a: Quantities, b: Quantities): Quantities;
/** Floored at zero. */
export declare function subtractQuantities(a: Quantities, b: Quantities): Quantities;
/** Keeps negative amounts. */
export declare function differenceOf(a: Quantities, b: Quantities): Quantities;
export declare function containsQuantities(a: Quantities, b: Quantities): boolean;
export declare function minQuantities(a: Quantities, b: Quantities): Quantities;
export declare function maxQuantities(a: Quantities, b: Quantities): Quantities;
export declare function scaleQuantities(q: Quantities, factor: number): Quantities;
export declare function equalQuantities(a: Quantities, b: Quantities): boolean;
/** Whether `q` stays within every limit. */
export declare function withinLimits(limits: Limits, q: Quantities): boolean;
/** The part of `q` that may still be used: the names that are limited are cut to limit - used (floored), others stay. */
export declare function cutToLimits(q: Quantities, limits: Limits, used: Quantities): Quantities;
/** `cpus:4; mem:1024`; `{}` when empty. */
export declare function formatQuantities(q: Quantities): string;
/** `cpus:1;mem:32`; zeros dropped. */
export declare function parseQuantities(text: string): Result<Quantities, string>;
/** Plain values by name, for views: `{cpus: 4, mem: 1024}`. */
export declare function quantitiesToRecord(q: Quantities): Record<string, number>;
/** Scalars cut so that no name exceeds `target`; what can't be split is kept whole or left out. Non-scalars are left out. */
export declare function shrinkToQuantities(list: Resources, target: Quantities): Resources;
/** The same, but only names in `limits` are cut. */
export declare function shrinkToLimits(list: Resources, limits: Limits): Resources;

// --- bundles (bundle.ts)
export interface Bundle {
  /** Bundles with one id are the same; see `sameBundle` for equality. Never used twice. */
  readonly id: number;
  readonly isEmpty: boolean;
  /** Canonical order, post-refinement, frozen. */
  readonly resources: Resources;
  /** As messages show it to those without RESERVATION_REFINEMENT; undefined if a reservation is refined. */
  readonly preRefinement: readonly Resource[] | undefined;
  readonly quantities: Quantities;
  /** The same with `allocation_info.role` set in every resource. */
  allocatedTo(role: string): Bundle;
  readonly unallocated: Bundle;
}
export interface BundleTable {
  readonly empty: Bundle;
  intern(list: readonly Resource[]): Bundle;
  add(a: Bundle, b: Bundle): Bundle;
  subtract(a: Bundle, b: Bundle): Bundle;
}
/** `budget`: how many bundles it remembers at least; up to twice as many. */
export declare function createBundleTable(budget?: number): BundleTable;
export declare function containsBundle(a: Bundle, b: Bundle): boolean;
export declare function sameBundle(a: Bundle, b: Bundle): boolean;

// --- formats and validation (formats.ts, validate.ts)
export interface ResourceProblem {
  /** `resources[2].scalar.value` */
  readonly field: string;
  /** The whole sentence: `resources[2].scalar.value: expected a number >= 0, got -1` */
  readonly text: string;
}
/** Any of the formats to post-refinement; for lists that passed `validateResources`. */
export declare function toPostRefinement(list: readonly Resource[]): readonly Resource[];
/** Fails with the first resource that has a refined reservation. */
export declare function toPreRefinement(list: readonly Resource[]): Result<readonly Resource[], Resource>;
/** Both formats at once, as the endpoints show resources. */
export declare function toEndpointFormat(list: readonly Resource[]): readonly Resource[];
/** Lists in either format, as they come in; `field` names the list in errors. */
export declare function validateResources(
  list: readonly Resource[],
  field?: string,
): Result<undefined, ResourceProblem>;
/** Validates, converts, merges: what is to be done with every list that comes in. */
export declare function admitResources(list: readonly Resource[], field?: string): Result<Resources, ResourceProblem>;

// --- operations (operations.ts)
export interface ResourceConversion {
  readonly consumed: Resources;
  readonly converted: Resources;
}
export interface AppliedOperation {
  readonly resources: Resources;
  readonly conversions: readonly ResourceConversion[];
}
/** RESERVE UNRESERVE CREATE DESTROY GROW_VOLUME SHRINK_VOLUME; operations in post-refinement format, validated. */
export declare function conversionsOf(operation: OfferOperation): Result<readonly ResourceConversion[], string>;
export declare function applyOperation(
  resources: Resources,
  operation: OfferOperation,
): Result<AppliedOperation, string>;
export declare function applyConversions(
  resources: Resources,
  conversions: readonly ResourceConversion[],
): Result<Resources, string>;
/** An agent's total from its flags and what it had checkpointed. */
export declare function applyCheckpointed(total: Resources, checkpointed: Resources): Result<Resources, string>;
/** The disk a volume was made from. */
export declare function stripVolume(volume: Resource): Resource;

// --- text (parse.ts, attributes.ts, format.ts, summary.ts)
/** `cpus:4;mem(role):1024;ports:[31000-32000];disks:{a,b}` or a JSON array, as the agent's flag takes them. */
export declare function parseResources(text: string, defaultRole?: string): Result<Resources, string>;
/** `rack:r1;size:10;span:[1-5]` */
export declare function parseAttributes(text: string): Result<readonly Attribute[], string>;
export declare function formatAttribute(attribute: Attribute): string;
/** As Mesos prints them: `cpus:4; mem:1024; ports:[31000-31999]`; `{}` when empty. */
export declare function formatResources(list: readonly Resource[]): string;
export declare function formatResource(resource: Resource): string;
/** The v0 views' object: `{cpus, disk, gpus, mem, ports: "[31000-31999]"}`, keys sorted; these four scalars always there. */
export declare function summarize(list: readonly Resource[]): Record<string, number | string>;

// --- roles (roles.ts, role-tree.ts)
export declare function validateRole(role: string): Result<undefined, string>;
/** Strictly above: `isAncestor('a', 'a/b')`. */
export declare function isAncestor(ancestor: string, role: string): boolean;
/** The role itself or one below. */
export declare function isInSubtree(role: string, top: string): boolean;
/** Nearest first: `a/b/c` gives `a/b`, `a`. */
export declare function ancestorsOf(role: string): readonly string[];
export declare function parentOf(role: string): string | undefined;
export declare function topLevelOf(role: string): string;
export interface RoleNode<T> {
  readonly role: string;
  readonly parent: RoleNode<T> | undefined;
  /** Sorted by role. */
  readonly children: readonly RoleNode<T>[];
  /** What the owner keeps with the role. */
  readonly value: T;
}
export interface RoleTree<T> {
  /** Adds the role and what is missing above it, counting one more user of the role. */
  add(role: string): RoleNode<T>;
  /** One user fewer; nodes without users and children vanish. */
  remove(role: string): void;
  get(role: string): RoleNode<T> | undefined;
  readonly topLevel: readonly RoleNode<T>[];
  readonly size: number;
}
export declare function createRoleTree<T>(create: (role: string) => T): RoleTree<T>;
