// Resources as texts: `cpus:2;mem:1024;ports:[31000-31009]`.
import type { Resource } from '@meseta/sdk';
import { renderWireError } from '@meseta/wire';
import { ResourceCodec } from '@meseta/wire/codecs';
import { usageError } from './command.js';

/** The resources of a text: unreserved scalars and ranges, or a JSON list of any. Throws a CommandError that names RESOURCES. */
export function parseResources(path: string, text: string): readonly Resource[] {
  if (text.trimStart().startsWith('[')) return parseJson(path, text);
  return text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => parseOne(path, part));
}

function parseJson(path: string, text: string): readonly Resource[] {
  let list: readonly unknown[];
  try {
    list = JSON.parse(text) as readonly unknown[];
  } catch (error) {
    throw usageError(path, `RESOURCES: expected a JSON list: ${String(error)}`);
  }
  return list.map((item, index) => {
    const read = ResourceCodec.parse(JSON.stringify(item));
    if (!read.ok) throw usageError(path, `RESOURCES[${index}]: ${renderWireError(read.error)}`);
    return read.value;
  });
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
    throw usageError(path, `RESOURCES: expected resources such as cpus:2;mem:1024;ports:[31000-31009], got '${part}'`);
  }
  return { name, type: 'SCALAR', scalar: { value: amount } };
}

/** Scalars by name, `{cpus: {value: 2}}`, as quota has them. Throws a CommandError that names the option. */
export function parseScalars(
  path: string,
  option: string,
  text: string,
): Readonly<Record<string, { readonly value: number }>> {
  const pairs = text.split(';').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name = '', amount = ''] = /^\s*([^:\s]+)\s*:\s*(\S+)\s*$/.exec(pair) ?? [];
      const value = Number(amount);
      if (name === '' || amount === '' || !Number.isFinite(value) || value < 0) {
        throw usageError(path, `--${option}: expected amounts such as cpus:2;mem:1024, got '${pair}'`);
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
