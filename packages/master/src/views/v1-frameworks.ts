// A framework in GET_STATE, GET_FRAMEWORKS and the events of operators' streams.
import type { MasterResponseGetFrameworksFramework } from '@meseta/wire';
import { MasterResponseGetFrameworksFrameworkCodec, OfferCodec } from '@meseta/wire/codecs';
import type { Framework } from '../core/state.js';
import type { Approver } from './approver.js';
import { jsonElements, utf8Of } from './runs.js';
import type { FrameworkView, Share, ShareOf } from './snapshot.js';
import { headOf, type ListField } from './v1-document.js';
import { listed, timed, timeOf } from './v1-fields.js';

export function frameworkMessage(
  view: FrameworkView,
  { used, offered }: Share,
  approver: Approver,
): MasterResponseGetFrameworksFramework {
  const { framework, unregisteredAtMs } = view;
  const { status } = framework;
  const lives = unregisteredAtMs === undefined;
  return {
    framework_info: framework.info,
    active: lives && status === 'active',
    connected: lives && (status === 'active' || status === 'inactive'),
    ...timed('registered_time', framework.registeredAtMs),
    ...timed('reregistered_time', framework.reregisteredAtMs ?? framework.registeredAtMs),
    ...timed('unregistered_time', unregisteredAtMs),
    ...(view.offers.length === 0 ? {} : { offers: view.offers }),
    ...(view.inverseOffers.length === 0 ? {} : { inverse_offers: view.inverseOffers }),
    ...listed('allocated_resources', used, approver),
    ...listed('offered_resources', offered, approver),
    recovered: lives && status === 'recovered',
    offer_constraints: framework.offerConstraints?.source ?? {},
  };
}

/** A framework in an event: without allocated and offered resources; times that are not set are 0. */
export function frameworkEventMessage(framework: Framework): MasterResponseGetFrameworksFramework {
  const { status, registeredAtMs = 0, reregisteredAtMs = registeredAtMs } = framework;
  return {
    framework_info: framework.info,
    active: status === 'active',
    connected: status === 'active' || status === 'inactive',
    registered_time: timeOf(registeredAtMs),
    reregistered_time: timeOf(reregisteredAtMs),
    unregistered_time: timeOf(0),
    recovered: status === 'recovered',
  };
}

/** Frameworks; their offers are separate runs, because a framework may have been offered the whole cluster. */
export const frameworkList = (
  [name, number]: readonly [name: string, number: number],
  views: readonly FrameworkView[],
  shareOf: ShareOf,
  approver: Approver,
): ListField => {
  const withoutOffers = (view: FrameworkView) => {
    const { offers: _, ...message } = frameworkMessage(view, shareOf(view), approver);
    return message;
  };
  const offersKey = `offers of ${name}`;
  return {
    name,
    number,
    *json(lists) {
      for (const [i, view] of views.entries()) {
        const [head, tail] = splitJsonAtOffers(withoutOffers(view));
        yield utf8Of(`${i === 0 ? '' : ','}${head}`);
        if (view.offers.length > 0) {
          yield utf8Of(',"offers":[');
          yield* jsonElements(lists, offersKey, view.offers, OfferCodec.write);
          yield utf8Of(']');
        }
        yield utf8Of(tail);
      }
    },
    *protobuf(lists) {
      for (const view of views) {
        const [head, tail] = splitBytesAtOffers(withoutOffers(view));
        const parts = [head];
        for (const run of lists.list(offersKey, view.offers, (offers) => OfferCodec.encodeList(OFFERS, offers))) {
          parts.push(run);
          yield NOTHING;
        }
        parts.push(tail);
        const bytes = parts.reduce((sum, { length }) => sum + length, 0);
        yield headOf(number, bytes);
        yield* parts;
      }
    },
  };
};

const NOTHING = new Uint8Array(0);

/** The field number of a framework's offers. */
const OFFERS = 7;

type Message = MasterResponseGetFrameworksFramework;

const codec = MasterResponseGetFrameworksFrameworkCodec;

/** The fields before a framework's offers, and the one after them that every framework has. */
const beforeOffers = (message: Message): Message => ({
  framework_info: message.framework_info,
  active: message.active,
  connected: message.connected,
  registered_time: message.registered_time,
  reregistered_time: message.reregistered_time,
  unregistered_time: message.unregistered_time,
  recovered: message.recovered,
});

/** A framework as JSON without its offers: the parts before and after them. */
function splitJsonAtOffers(message: Message): readonly [head: string, tail: string] {
  const text = codec.write(message);
  const at = codec.write(beforeOffers(message)).length - `,"recovered":${message.recovered}}`.length;
  return [text.slice(0, at), text.slice(at)];
}

/** The length of the tag and the value of `recovered`. */
const RECOVERED_BYTES = 2;

/** A framework as protobuf without its offers: the parts before and after them. */
function splitBytesAtOffers(message: Message): readonly [head: Uint8Array, tail: Uint8Array] {
  const bytes = codec.encode(message);
  const at = codec.encode(beforeOffers(message)).length - RECOVERED_BYTES;
  return [bytes.subarray(0, at), bytes.subarray(at)];
}
