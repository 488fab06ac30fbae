// Resources and attributes as the plain objects of the v0 endpoints.
import type { Attribute, Resource } from '@meseta/wire';
import { fromThousandths } from '@meseta/wire/scalars';
import { formatValue } from './format.js';
import { isScalar, thousandthsOf } from './kinds.js';
import { distinctShared } from './lists.js';
import { addValues } from './values.js';

/**
 * The totals by name, whatever the reservations: `{cpus: 4, disk: 0, gpus: 0, mem: 1024, ports: "[31000-31999]"}`. Keys are
 * sorted; the four known scalars are always present; revocable resources are `cpus_revocable`.
 */
export function summarize(list: readonly Resource[]): Record<string, number | string> {
  const byName = new Map<string, Resource[]>(['cpus', 'disk', 'gpus', 'mem'].map((name) => [name, [none(name)]]));
  for (const resource of distinctShared(list)) {
    const name = resource.revocable === undefined ? resource.name : `${resource.name}_revocable`;
    const others = byName.get(name);
    // Of a name with two types the last counts.
    if (others?.[0]?.type === resource.type) others.push(resource);
    else byName.set(name, [resource]);
  }
  const sorted = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, resources]) => [name, totalOf(resources)]));
}

const none = (name: string): Resource => ({ name, type: 'SCALAR', scalar: { value: 0 } });

/** The sum of resources of one type, of which there is at least one. */
function totalOf([first, ...others]: readonly Resource[]): number | string {
  const resource = first as Resource;
  if (!isScalar(resource)) return formatValue(others.length === 0 ? resource : addValues(resource, others));
  return fromThousandths(others.reduce((total, other) => total + thousandthsOf(other), thousandthsOf(resource)));
}

/** `{rack: "r1", size: 10, span: "[1-5]"}`, keys sorted; of a repeated name the last value. */
export function summarizeAttributes(attributes: readonly Attribute[]): Record<string, number | string> {
  const values = attributes.map((attribute): [string, number | string] => {
    if (attribute.type === 'SCALAR') return [attribute.name, attribute.scalar?.value ?? 0];
    return [attribute.name, attribute.type === 'TEXT' ? (attribute.text?.value ?? '') : formatValue(attribute)];
  });
  return Object.fromEntries([...new Map(values)].sort(([a], [b]) => (a < b ? -1 : 1)));
}
