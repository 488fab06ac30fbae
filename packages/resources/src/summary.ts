// Resources and attributes as the plain objects of the v0 endpoints.
import type { Attribute, Resource } from '@meseta/wire';
import { fromThousandths } from '@meseta/wire/scalars';
import { formatValue } from './format.js';
import { isScalar, scalarOf } from './kinds.js';
import { distinctShared } from './lists.js';
import { addValue } from './values.js';

/**
 * The totals by name, whatever the reservations: `{cpus: 4, disk: 0, gpus: 0, mem: 1024, ports: "[31000-31999]"}`. Keys are
 * sorted; the four known scalars are always present; revocable resources are `cpus_revocable`.
 */
export function summarize(list: readonly Resource[]): Record<string, number | string> {
  const totals = new Map<string, Resource>(['cpus', 'disk', 'gpus', 'mem'].map((name) => [name, none(name)]));
  for (const resource of distinctShared(list)) {
    const name = resource.revocable === undefined ? resource.name : `${resource.name}_revocable`;
    const total = totals.get(name);
    totals.set(name, total === undefined || total.type !== resource.type ? resource : addValue(total, resource));
  }
  const sorted = [...totals].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, total]) => [name, plainValue(total)]));
}

const none = (name: string): Resource => ({ name, type: 'SCALAR', scalar: { value: 0 } });

const plainValue = (resource: Resource): number | string =>
  isScalar(resource) ? fromThousandths(scalarOf(resource)) : formatValue(resource);

/** `{rack: "r1", size: 10, span: "[1-5]"}`, keys sorted; of a repeated name the last value. */
export function summarizeAttributes(attributes: readonly Attribute[]): Record<string, number | string> {
  const values = attributes.map((attribute): [string, number | string] => {
    if (attribute.type === 'SCALAR') return [attribute.name, attribute.scalar?.value ?? 0];
    return [attribute.name, attribute.type === 'TEXT' ? (attribute.text?.value ?? '') : formatValue(attribute)];
  });
  return Object.fromEntries([...new Map(values)].sort(([a], [b]) => (a < b ? -1 : 1)));
}
