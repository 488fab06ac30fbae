// Seccomp profiles in Docker's format, with the rules of Mesos (docs/isolators/linux-seccomp.md): which system calls a
// container can make. Pure.
//
// Beyond Mesos, a current profile of Docker is taken as it is: empty lists may be missing, and `errnoRet`, `defaultErrnoRet`,
// `minKernel` and newer actions have their meaning. Other fields are ignored, as Mesos ignores them.
// PROFILE-1: a value that is not understood is refused with its place in the profile; no rule is dropped for it.
import {
  err,
  LIMITS,
  ok,
  type Result,
  type SeccompAction,
  type SeccompComparison,
  type SeccompCondition,
  type SeccompFilter,
  type SeccompRule,
} from '@meseta/base';
import { capabilityNumber } from '../isolators/linux-capabilities.js';
import { isObject, type Json, type JsonObject, parseObject } from '../operator-json.js';

/** A rule that is in force for containers with some capabilities only. */
interface ProfileRule extends SeccompRule {
  /** Numbers of capabilities: all of them must be in the bounding set, and none of the others. */
  readonly included: readonly number[];
  readonly excluded: readonly number[];
}

export interface SeccompProfile extends Omit<SeccompFilter, 'rules'> {
  readonly rules: readonly ProfileRule[];
}

/** The machine that a profile is read for. */
export interface ProfileHost {
  /** libseccomp's name of its architecture. */
  readonly architecture: string;
  /** Of its kernel, such as `6.1.0-18-amd64`. */
  readonly release: string;
}

const PREFIX = 'SCMP_';
const EPERM = 1;
/** The kernel's MAX_ERRNO. With 0 a call would succeed without having been made. */
const MAX_ERRNO = 4095;
const MAX_INDEX = 5;

const ACTIONS: ReadonlyMap<string, SeccompAction['kind']> = new Map([
  ['SCMP_ACT_KILL', 'killThread'],
  ['SCMP_ACT_KILL_THREAD', 'killThread'],
  ['SCMP_ACT_KILL_PROCESS', 'killProcess'],
  ['SCMP_ACT_TRAP', 'trap'],
  ['SCMP_ACT_ERRNO', 'fail'],
  ['SCMP_ACT_TRACE', 'trace'],
  ['SCMP_ACT_LOG', 'log'],
  ['SCMP_ACT_ALLOW', 'allow'],
]);

const COMPARISONS: ReadonlyMap<string, SeccompComparison> = new Map([
  ['SCMP_CMP_NE', 'notEqual'],
  ['SCMP_CMP_LT', 'less'],
  ['SCMP_CMP_LE', 'lessOrEqual'],
  ['SCMP_CMP_EQ', 'equal'],
  ['SCMP_CMP_GE', 'greaterOrEqual'],
  ['SCMP_CMP_GT', 'greater'],
  ['SCMP_CMP_MASKED_EQ', 'maskedEqual'],
]);

/** The architectures by their names in `arches`, which are those of Go; libseccomp's name is that in `archMap`. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x86', 'x86'],
  ['amd64', 'x86_64'],
  ['x32', 'x32'],
  ['arm', 'arm'],
  ['arm64', 'aarch64'],
  ['mips', 'mips'],
  ['mipsel', 'mipsel'],
  ['mips64', 'mips64'],
  ['mipsel64', 'mipsel64'],
  ['mips64n32', 'mips64n32'],
  ['mipsel64n32', 'mipsel64n32'],
  ['ppc', 'ppc'],
  ['ppc64', 'ppc64'],
  ['ppc64le', 'ppc64le'],
  ['s390', 's390'],
  ['s390x', 's390x'],
  ['riscv64', 'riscv64'],
  ['loong64', 'loongarch64'],
]);
const IN_MAP: ReadonlyMap<string, string> = new Map(
  [...ARCHITECTURES.values()].map((name) => [`${PREFIX}ARCH_${name.toUpperCase()}`, name]),
);

const shown = (value: Json | undefined): string =>
  value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 100);

/** The meaning of a word, or those that are known. */
function lookUp<T>(field: string, words: ReadonlyMap<string, T>, value: Json | undefined): Result<T, string> {
  const found = typeof value === 'string' ? words.get(value) : undefined;
  return found === undefined
    ? err(`${field}: expected one of ${[...words.keys()].join(', ')}, got ${shown(value)}`)
    : ok(found);
}

function wholeNumber(field: string, value: Json | undefined, most: number, least = 0): Result<number, string> {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    ? ok(value)
    : err(`${field}: expected a whole number from ${least} to ${most}, got ${shown(value)}`);
}

/** The parsed items of a list; undefined where it is missing or null. */
function listIn<T>(
  object: JsonObject,
  around: string,
  name: string,
  most: number,
  parse: (field: string, item: Json) => Result<T, string>,
): Result<readonly T[] | undefined, string> {
  const field = around === '' ? name : `${around}.${name}`;
  const value = object[name] ?? undefined;
  if (value === undefined) return ok(undefined);
  if (!Array.isArray(value)) return err(`${field}: expected a list, got ${shown(value)}`);
  if (value.length > most) return err(`${field}: expected at most ${most} items, got ${value.length}`);
  const items: T[] = [];
  for (const [index, item] of (value as readonly Json[]).entries()) {
    const parsed = parse(`${field}[${index}]`, item);
    if (!parsed.ok) return parsed;
    items.push(parsed.value);
  }
  return ok(items);
}

const text = (field: string, item: Json): Result<string, string> =>
  typeof item === 'string' ? ok(item) : err(`${field}: expected a text, got ${shown(item)}`);

/** `errno`: the number that calls fail with, where the profile has one. */
function parseAction(
  field: string,
  value: Json | undefined,
  errnoField: string,
  errno: Json | undefined,
): Result<SeccompAction, string> {
  const kind = lookUp(field, ACTIONS, value);
  if (!kind.ok) return kind;
  if (kind.value !== 'fail' && kind.value !== 'trace') return ok({ kind: kind.value });
  const number = wholeNumber(errnoField, errno ?? EPERM, MAX_ERRNO, 1);
  return number.ok ? ok({ kind: kind.value, errno: number.value }) : number;
}

/** The architectures in `archMap` that belong to that of the machine. */
function parseArchitectures(profile: JsonObject, { architecture }: ProfileHost): Result<readonly string[], string> {
  const known = (field: string, item: Json) => lookUp(field, IN_MAP, item);
  const all = listIn(profile, '', 'archMap', LIMITS.seccompRules.most, (field, item) => {
    if (!isObject(item)) return err(`${field}: expected an object, got ${shown(item)}`);
    const own = known(`${field}.architecture`, item['architecture'] ?? null);
    if (!own.ok) return own;
    const others = listIn(item, field, 'subArchitectures', LIMITS.seccompRules.most, known);
    return others.ok ? ok(own.value === architecture ? [own.value, ...(others.value ?? [])] : []) : others;
  });
  if (!all.ok) return all;
  return all.value === undefined ? err('archMap: expected a list, got nothing') : ok([...new Set(all.value.flat())]);
}

function parseCondition(field: string, item: Json): Result<SeccompCondition, string> {
  if (!isObject(item)) return err(`${field}: expected an object, got ${shown(item)}`);
  const index = wholeNumber(`${field}.index`, item['index'], MAX_INDEX);
  if (!index.ok) return index;
  const value = wholeNumber(`${field}.value`, item['value'], Number.MAX_SAFE_INTEGER);
  if (!value.ok) return value;
  const second = wholeNumber(`${field}.valueTwo`, item['valueTwo'] ?? 0, Number.MAX_SAFE_INTEGER);
  if (!second.ok) return second;
  const comparison = lookUp(`${field}.op`, COMPARISONS, item['op']);
  return comparison.ok
    ? ok({ index: index.value, comparison: comparison.value, value: value.value, second: second.value })
    : comparison;
}

/** `includes` or `excludes` of a rule. */
interface Selection {
  /** undefined: it names no architectures. */
  readonly namesArchitecture: boolean | undefined;
  readonly capabilities: readonly number[];
  /** undefined: it names no kernel. */
  readonly isKernelNewEnough: boolean | undefined;
}

function parseSelection(rule: JsonObject, around: string, name: string, host: ProfileHost): Result<Selection, string> {
  const field = `${around}.${name}`;
  const value = rule[name] ?? {};
  if (!isObject(value)) return err(`${field}: expected an object, got ${shown(value)}`);
  const most = LIMITS.seccompNames.most;
  const arches = listIn(value, field, 'arches', most, (place, item) => lookUp(place, ARCHITECTURES, item));
  if (!arches.ok) return arches;
  const capabilities = listIn(value, field, 'caps', most, parseCapability);
  if (!capabilities.ok) return capabilities;
  const minKernel = value['minKernel'] ?? undefined;
  const release = minKernel === undefined ? undefined : versionOf(minKernel);
  if (minKernel !== undefined && release === undefined) {
    return err(`${field}.minKernel: expected a version such as "4.8", got ${shown(minKernel)}`);
  }
  return ok({
    namesArchitecture: arches.value?.includes(host.architecture),
    capabilities: capabilities.value ?? [],
    isKernelNewEnough: release && isAtLeast(versionOf(host.release), release),
  });
}

function parseCapability(field: string, item: Json): Result<number, string> {
  const number = typeof item === 'string' && item.startsWith('CAP_') ? capabilityNumber(item.slice(4)) : undefined;
  return number === undefined
    ? err(`${field}: expected the name of a capability such as CAP_CHOWN, got ${shown(item)}`)
    : ok(number);
}

type Version = readonly [major: number, minor: number];

function versionOf(value: Json): Version | undefined {
  const found = typeof value === 'string' ? /^(\d{1,5})\.(\d{1,5})/.exec(value) : null;
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

const isAtLeast = ([major, minor]: Version = [0, 0], [wantedMajor, wantedMinor]: Version): boolean =>
  major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);

/** undefined: a rule of other machines. */
function parseRule(field: string, item: Json, host: ProfileHost): Result<ProfileRule | undefined, string> {
  if (!isObject(item)) return err(`${field}: expected an object, got ${shown(item)}`);
  const includes = parseSelection(item, field, 'includes', host);
  if (!includes.ok) return includes;
  const excludes = parseSelection(item, field, 'excludes', host);
  if (!excludes.ok) return excludes;
  const names = listIn(item, field, 'names', LIMITS.seccompNames.most, text);
  if (!names.ok) return names;
  if (names.value === undefined || names.value.length === 0)
    return err(`${field}.names: expected system calls, got nothing`);
  const action = parseAction(`${field}.action`, item['action'], `${field}.errnoRet`, item['errnoRet'] ?? undefined);
  if (!action.ok) return action;
  const conditions = listIn(item, field, 'args', MAX_INDEX + 1, parseCondition);
  if (!conditions.ok) return conditions;
  const indexes = (conditions.value ?? []).map(({ index }) => index);
  const repeated = indexes.find((index, at) => indexes.indexOf(index) !== at);
  if (repeated !== undefined) return err(`${field}.args: the argument ${repeated} has two conditions: write two rules`);
  const isOfOthers =
    includes.value.namesArchitecture === false ||
    includes.value.isKernelNewEnough === false ||
    excludes.value.namesArchitecture === true ||
    excludes.value.isKernelNewEnough === true;
  if (isOfOthers) return ok(undefined);
  return ok({
    names: names.value,
    action: action.value,
    conditions: conditions.value ?? [],
    included: includes.value.capabilities,
    excluded: excludes.value.capabilities,
  });
}

/** PROFILE-1. */
export function parseProfile(content: string, host: ProfileHost): Result<SeccompProfile, string> {
  const parsed = parseObject(content);
  if (!parsed.ok) return parsed;
  const profile = parsed.value;
  const { defaultAction: wanted, defaultErrnoRet } = profile;
  const defaultAction = parseAction('defaultAction', wanted, 'defaultErrnoRet', defaultErrnoRet ?? undefined);
  if (!defaultAction.ok) return defaultAction;
  const architectures = parseArchitectures(profile, host);
  if (!architectures.ok) return architectures;
  const most = LIMITS.seccompRules.most;
  const rules = listIn(profile, '', 'syscalls', most, (field, item) => parseRule(field, item, host));
  if (!rules.ok) return rules;
  if (rules.value === undefined) return err('syscalls: expected a list, got nothing');
  return ok({
    defaultAction: defaultAction.value,
    architectures: architectures.value,
    rules: rules.value.filter((rule) => rule !== undefined),
  });
}

/** The rules for a container with this bounding set (numbers of capabilities). */
export function filterFor({ rules, ...profile }: SeccompProfile, bounding: readonly number[]): SeccompFilter {
  const has = (capability: number): boolean => bounding.includes(capability);
  return {
    ...profile,
    rules: rules
      .filter(({ included, excluded }) => included.every(has) && !excluded.some(has))
      .map(({ names, action, conditions }) => ({ names, action, conditions })),
  };
}
