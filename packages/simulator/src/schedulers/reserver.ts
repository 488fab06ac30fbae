// A framework that reserves offered resources, creates volumes on them, and destroys and unreserves them again.
import type { Offer, OfferOperation, Resource } from '@meseta/wire';
import { happens } from '../engine/chance.js';
import type { SchedulerClient, Script } from '../nodes/scheduler.js';
import { acknowledgeOperation, isReserved, isVolume, MAX_OPERATIONS } from './operations.js';

/** That amount of the offer's plain resource of the name; undefined if it has less. */
const part = (offer: Offer, name: string, value: number): Resource | undefined => {
  const found = (offer.resources ?? []).find(
    (it) => it.name === name && !isReserved(it) && it.disk === undefined && (it.scalar?.value ?? 0) >= value,
  );
  return found === undefined ? undefined : { ...found, scalar: { value } };
};

export function createReserver(role: string, activity: { readonly isQuiesced: boolean }): Script {
  let next = 0;
  const nextOperationId = (client: SchedulerClient): string => `${client.name}-o${next++}`;

  /** What to do with one offer: the step that follows from what is in it. */
  const stepFor = (client: SchedulerClient, offer: Offer): OfferOperation | undefined => {
    const resources = offer.resources ?? [];
    const volume = resources.find(isVolume);
    const plainReserved = resources.filter((it) => isReserved(it) && !isVolume(it));
    if (volume !== undefined) {
      return { type: 'DESTROY', id: { value: nextOperationId(client) }, destroy: { volumes: [volume] } };
    }
    const disk = plainReserved.find((it) => it.name === 'disk');
    if (disk !== undefined && happens(client.random, 0.5)) {
      const id = nextOperationId(client);
      const made: Resource = {
        ...disk,
        disk: { persistence: { id }, volume: { mode: 'RW', container_path: 'data' } },
      };
      return { type: 'CREATE', id: { value: id }, create: { volumes: [made] } };
    }
    if (plainReserved.length > 0) {
      return { type: 'UNRESERVE', id: { value: nextOperationId(client) }, unreserve: { resources: plainReserved } };
    }
    const wanted = [part(offer, 'cpus', 0.5), part(offer, 'mem', 64), part(offer, 'disk', 64)];
    const found = wanted.filter((it) => it !== undefined);
    if (found.length === 0) return undefined;
    const reserved = found.map((it): Resource => ({ ...it, reservations: [{ type: 'DYNAMIC', role }] }));
    return { type: 'RESERVE', id: { value: nextOperationId(client) }, reserve: { resources: reserved } };
  };

  return {
    offers(client, offers) {
      for (const offer of offers) {
        const step = activity.isQuiesced || next >= MAX_OPERATIONS ? undefined : stepFor(client, offer);
        const offer_ids = [offer.id];
        if (step !== undefined) client.launch([offer], [], [step]);
        else
          client.call({
            type: 'DECLINE',
            decline: { offer_ids, filters: { refuse_seconds: activity.isQuiesced ? 600 : 5 } },
          });
      }
    },
    event: acknowledgeOperation,
  };
}
