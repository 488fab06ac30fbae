// Roles as /roles shows them: the one place that has quota and consumption together.
import { type Cluster, readJson } from './cluster.js';
import { scalarsText } from './resources.js';

/** Scalars by name; ranges come as text and are left out. */
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

/** `cpus:2;mem:64`, zeros left out; undefined (a dash in tables) for nothing. */
export function amountsText(amounts: Amounts | undefined, zeros: 'shown' | 'hidden' = 'hidden'): string | undefined {
  const scalars = Object.entries(amounts ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && (zeros === 'shown' || entry[1] !== 0),
  );
  return scalars.length === 0 ? undefined : scalarsText(Object.fromEntries(scalars));
}
