// The `--acls` flag: mesos.ACLs as JSON, checked when the flag is read (Mesos: docs/authorization.md).
import { agentEndpoints, masterEndpoints } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import { type ACLEntity, type ACLs, renderWireError } from '@meseta/wire';
import { ACLsCodec } from '@meseta/wire/codecs';
import { ACTION_RULES, type AclList, OBJECT_FIELDS } from './actions.js';
import type { Acl } from './verdicts.js';

/** Names from before Mesos 1.0, and today's. */
const RENAMED: Readonly<Record<string, AclList>> = {
  shutdown_frameworks: 'teardown_frameworks',
  set_quotas: 'update_quotas',
};

/** The paths that `get_endpoints` may name. */
export const AUTHORIZABLE_PATHS: ReadonlySet<string> = new Set(
  [masterEndpoints, agentEndpoints]
    .flatMap((endpoints) => Object.values(endpoints))
    .filter((endpoint) => 'action' in endpoint && endpoint.action === 'GET_ENDPOINT_WITH_PATH')
    .map(({ path }) => path),
);

/** The lists whose ACLs do not distinguish objects. */
const WITHOUT_VALUES: ReadonlySet<AclList> = new Set(
  Object.values(ACTION_RULES)
    .filter(({ values }) => values === undefined)
    .map(({ list }) => list),
);

export interface ParsedAcls {
  readonly acls: ACLs;
  readonly warnings: readonly string[];
}

const lists = Object.keys(OBJECT_FIELDS) as AclList[];

/** The ACLs of a list in one shape: each list has its own name for the field of objects. */
export const aclsIn = (acls: ACLs, list: AclList): readonly Acl[] =>
  (acls[list] ?? []).map((acl) => {
    const fields: Readonly<Record<string, ACLEntity>> = { ...acl };
    return { principals: acl.principals, objects: fields[OBJECT_FIELDS[list]] as ACLEntity };
  });

/** The problem with the ACLs, with the field; undefined if there is none. */
function aclProblem(acls: ACLs): string | undefined {
  for (const list of lists) {
    for (const [index, { objects }] of aclsIn(acls, list).entries()) {
      const field = `field '${list}[${index}].${OBJECT_FIELDS[list]}'`;
      const isSome = (objects.type ?? 'SOME') === 'SOME';
      if (isSome && WITHOUT_VALUES.has(list)) return `${field}: expected type ANY or NONE`;
      const unknown =
        list === 'get_endpoints' && isSome && objects.values?.find((path) => !AUTHORIZABLE_PATHS.has(path));
      if (typeof unknown === 'string') {
        return `${field}: expected ${[...AUTHORIZABLE_PATHS].join(', ')}, got ${JSON.stringify(unknown)}`;
      }
    }
  }
  return undefined;
}

/** A list with an unknown name has no effect. Mesos accepts it, so it is only a warning. */
export function parseAcls(text: string): Result<ParsedAcls, string> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return err(`expected JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return err('expected a JSON object');
  const document: Record<string, unknown> = { ...json };
  const warnings: string[] = [];
  for (const name of Object.keys(document)) {
    const newName = Object.hasOwn(RENAMED, name) ? RENAMED[name] : undefined;
    if (newName !== undefined) {
      warnings.push(`field '${name}' is now called '${newName}'`);
      document[newName] = [...asList(document[name]), ...asList(document[newName])];
    } else if (name !== 'permissive' && !Object.hasOwn(OBJECT_FIELDS, name)) {
      warnings.push(`field '${name}' is not a list of ACLs and has no effect`);
    }
  }
  const acls = ACLsCodec.read(document);
  if (!acls.ok) return err(renderWireError(acls.error));
  const problem = aclProblem(acls.value);
  return problem === undefined ? ok({ acls: acls.value, warnings }) : err(problem);
}

const asList = (json: unknown): readonly unknown[] => (Array.isArray(json) ? json : json === undefined ? [] : [json]);
