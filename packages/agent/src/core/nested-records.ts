// The records of nested and standalone containers (`nested-containers.ts`): their keys, their replacement and deletion.
import type { ContainerId } from '@meseta/base';
import type { ContainerID } from '@meseta/wire';
import { afterCommit, save } from './checkpoint.js';
import type { Context } from './context.js';
import { nestedContainerKey } from './disk-layout.js';
import { SIGKILL } from './exit-status.js';
import type { NestedContainer } from './state.js';

/** The ids from the outermost container to this one, as a key. */
export const pathOf = ({ value, parent }: ContainerID): string =>
  parent === undefined ? value : `${pathOf(parent)}/${value}`;

export const outermost = ({ value, parent }: ContainerID): string => (parent === undefined ? value : outermost(parent));

export const putNested = (ctx: Context, nested: NestedContainer): void => {
  const path = pathOf(nested.record.id);
  ctx.state.nestedContainers.set(path, nested);
  ctx.state.nestedPaths.set(nested.record.containerId, path);
};

export function signalContainer(ctx: Context, containerId: ContainerId, signal: number): void {
  if (signal === SIGKILL) ctx.effects.push({ kind: 'destroy', containerId });
  else ctx.effects.push({ kind: 'signal', containerId, signal });
}

export function forgetNested(ctx: Context, { record }: NestedContainer): void {
  ctx.state.nestedContainers.delete(pathOf(record.id));
  ctx.state.nestedPaths.delete(record.containerId);
  save(ctx, nestedContainerKey(pathOf(record.id)), undefined);
  afterCommit(ctx, { kind: 'removeContainer', containerId: record.containerId });
}

/** NESTED-3: destroys the containers in a container that ends; with `isOutermost`, deletes the records of ended ones too. */
export function endNested(ctx: Context, isIn: (id: ContainerID) => boolean, isOutermost: boolean): void {
  for (const nested of [...ctx.state.nestedContainers.values()]) {
    const { id, state, containerId } = nested.record;
    if (id.parent === undefined || !isIn(id)) continue;
    if (state !== 'ended') signalContainer(ctx, containerId, SIGKILL);
    else if (isOutermost) forgetNested(ctx, nested);
  }
}
