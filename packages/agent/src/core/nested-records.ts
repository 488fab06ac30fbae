// The records of nested and standalone containers (`nested-containers.ts`): the keys, how one is replaced and deleted.
import type { ContainerId } from '@meseta/base';
import type { ContainerID } from '@meseta/wire';
import { type Step, save } from './context.js';
import { nestedContainerKey } from './disk-layout.js';
import { SIGKILL } from './exit-status.js';
import type { NestedContainer } from './state.js';

/** The ids from the outermost container to this one; the outermost is the container of an executor or standalone. */
export const pathOf = ({ value, parent }: ContainerID): string =>
  parent === undefined ? value : `${pathOf(parent)}/${value}`;

export const outermost = ({ value, parent }: ContainerID): string => (parent === undefined ? value : outermost(parent));

export const putNested = (step: Step, nested: NestedContainer): void => {
  step.state.nestedContainers.set(pathOf(nested.record.id), nested);
};

export function signalContainer(step: Step, containerId: ContainerId, signal: number): void {
  if (signal === SIGKILL) step.effects.push({ kind: 'destroy', containerId });
  else step.effects.push({ kind: 'signal', containerId, signal });
}

export function forgetNested(step: Step, { record }: NestedContainer): void {
  step.state.nestedContainers.delete(pathOf(record.id));
  save(step, nestedContainerKey(pathOf(record.id)), undefined);
  step.after.push({ kind: 'removeContainer', containerId: record.containerId });
}

/** NESTED-3: destroys what is nested in a container that ends; `isOutermost`: the records of those that ended before go too. */
export function endNested(step: Step, isIn: (id: ContainerID) => boolean, isOutermost: boolean): void {
  for (const nested of [...step.state.nestedContainers.values()]) {
    const { id, state, containerId } = nested.record;
    if (id.parent === undefined || !isIn(id)) continue;
    if (state !== 'ended') signalContainer(step, containerId, SIGKILL);
    else if (isOutermost) forgetNested(step, nested);
  }
}
