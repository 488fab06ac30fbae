// Roles as /roles shows them: the only endpoint with quota and consumption together.
import { type Cluster, readJson } from './cluster.js';
import { scalarsText } from './resources.js';

/** Scalars by name. Ranges are texts in the answer and are not shown. */
type Amounts = Readonly<Record<string, number | string>>;

export interface RoleRow {
  readonly name: string;
  readonly weight: number;
  readonly frameworks: readonly string[];
  readonly allocated?: Amounts;
  readonly offered?: Amounts;
  readonly reserved?: Amounts;
  readonly quota?: { readonly guarantee?: Amounts; readonly limit?: Amounts; readonly consumed?: Amounts };
}

export const rolesOf = async (cluster: Cluster): Promise<readonly RoleRow[]> =>
  (await readJson<{ readonly roles?: readonly RoleRow[] }>(cluster, '/roles')).roles ?? [];

/** `cpus:2;mem:64`, by default without zeros; undefined, a dash in tables, if no amount remains. */
export function amountsText(amounts: Amounts | undefined, zeros: 'shown' | 'hidden' = 'hidden'): string | undefined {
  const scalars = Object.entries(amounts ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && (zeros === 'shown' || entry[1] !== 0),
  );
  return scalars.length === 0 ? undefined : scalarsText(Object.fromEntries(scalars));
}
