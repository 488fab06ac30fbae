// Resources as texts: `cpus:2;mem:1024;ports:[31000-31009]`.
import type { Resource } from '@meseta/sdk';
import { usageError } from './command.js';

/** Unreserved scalars and ranges. Other resources are given as JSON. */
export function parseResources(path: string, text: string): readonly Resource[] {
  if (text.trimStart().startsWith('[')) return parseJson(path, text);
  return text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => parseOne(path, part));
}

function parseJson(path: string, text: string): readonly Resource[] {
  try {
    return JSON.parse(text) as readonly Resource[];
  } catch (error) {
    throw usageError(path, `RESOURCES: expected a JSON list: ${String(error)}`);
  }
}

function parseOne(path: string, part: string): Resource {
  const [, name = '', value = ''] = /^([^:\s]+)\s*:\s*(.+)$/.exec(part) ?? [];
  const ranges = /^\[\s*(\d+-\d+(?:\s*,\s*\d+-\d+)*)\s*\]$/.exec(value)?.[1];
  if (ranges !== undefined) {
    const range = ranges.split(',').map((pair) => {
      const [begin = 0, end = 0] = pair.trim().split('-').map(Number);
      return { begin, end };
    });
    return { name, type: 'RANGES', ranges: { range } };
  }
  const amount = Number(value);
  if (name === '' || !Number.isFinite(amount) || amount <= 0) {
    throw usageError(path, `expected resources such as cpus:2;mem:1024;ports:[31000-31009], got '${part}'`);
  }
  return { name, type: 'SCALAR', scalar: { value: amount } };
}

/** Scalars by name, `{cpus: {value: 2}}`, as quota has them. */
export function parseScalars(path: string, text: string): Readonly<Record<string, { readonly value: number }>> {
  const pairs = text.split(';').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name = '', amount = ''] = /^\s*([^:\s]+)\s*:\s*(\S+)\s*$/.exec(pair) ?? [];
      const value = Number(amount);
      if (name === '' || amount === '' || !Number.isFinite(value) || value < 0) {
        throw usageError(path, `expected amounts such as cpus:2;mem:1024, got '${pair}'`);
      }
      return [name, { value }];
    }),
  );
}

export const scalarsText = (scalars: Readonly<Record<string, number | { readonly value: number }>>): string =>
  Object.entries(scalars)
    .map(([name, value]) => `${name}:${round(typeof value === 'number' ? value : value.value)}`)
    .join(';');

const round = (value: number): number => Math.round(value * 1000) / 1000;

export const roleOf = (resource: Resource): string | undefined => resource.reservations?.at(-1)?.role;

/** Whether the resource is dynamically reserved for the role. */
export const isReservedFor = (resource: Resource, role: string): boolean =>
  roleOf(resource) === role && resource.reservations?.at(-1)?.type !== 'STATIC';
