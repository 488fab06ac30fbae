// A framework that subscribes, runs one task and stays subscribed. Hostile calls have its ids, and must not affect it.
import { request } from 'node:http';
import { recordReader } from '@meseta/wire/recordio';

export interface Witness {
  readonly frameworkId: string;
  readonly streamId: string;
  readonly agentId: string;
  /** The last offer that came; undefined while there was none. */
  offerId(): object | undefined;
  /** Events so far. */
  events(): number;
  /** Its beginning as JSON. */
  lastEvent(): string;
  /** True once the master ended the stream. */
  ended(): boolean;
  close(): void;
}

interface Event {
  readonly type: string;
  readonly subscribed?: { readonly framework_id: { readonly value: string } };
  readonly offers?: {
    readonly offers: readonly { readonly id: object; readonly agent_id: { readonly value: string } }[];
  };
  readonly update?: {
    readonly status: {
      readonly task_id: object;
      readonly agent_id: object;
      readonly uuid?: string;
      readonly state: string;
    };
  };
}

const json = { 'Content-Type': 'application/json', Accept: 'application/json' };

const task = (agent_id: object) => ({
  name: 'witness',
  task_id: { value: 'witness' },
  agent_id,
  command: { value: 'sleep 1000' },
  resources: [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
    { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
  ],
});

/** Resolves when its task runs and that is acknowledged. It wants no more offers then, unless it is told to. */
export function startWitness(address: string, wantsOffers = false): Promise<Witness> {
  return new Promise((resolve, reject) => {
    const records = recordReader(2 ** 26);
    let events = 0;
    let lastEvent = '';
    let ended = false;
    let frameworkId = '';
    let streamId = '';
    let agentId = '';
    let offerId: object | undefined;
    const call = async (body: object): Promise<void> => {
      const answer = await fetch(`http://${address}/api/v1/scheduler`, {
        method: 'POST',
        headers: { ...json, 'Mesos-Stream-Id': streamId },
        body: JSON.stringify({ framework_id: { value: frameworkId }, ...body }),
      });
      if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`);
    };
    const onEvent = async (event: Event): Promise<void> => {
      events++;
      if (event.subscribed !== undefined) frameworkId = event.subscribed.framework_id.value;
      const offer = event.offers?.offers[0];
      offerId = offer?.id ?? offerId;
      if (offer !== undefined && agentId === '') {
        agentId = offer.agent_id.value;
        const launch = { type: 'LAUNCH', launch: { task_infos: [task(offer.agent_id)] } };
        await call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [launch] } });
      }
      const status = event.update?.status;
      if (status?.uuid !== undefined) {
        const { agent_id, task_id, uuid } = status;
        await call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
      }
      if (status?.state === 'TASK_RUNNING') {
        if (!wantsOffers) await call({ type: 'SUPPRESS' });
        resolve(witness);
      }
    };
    const subscribing = request(`http://${address}/api/v1/scheduler`, { method: 'POST', headers: json, agent: false });
    subscribing.on('response', (response) => {
      streamId = String(response.headers['mesos-stream-id']);
      response.on('data', (bytes: Buffer) => {
        const read = records.push(bytes);
        for (const record of read.ok ? read.value : []) {
          const text = Buffer.from(record).toString();
          lastEvent = text.slice(0, 300);
          onEvent(JSON.parse(text) as Event).catch(reject);
        }
      });
      response.on('close', () => {
        ended = true;
      });
    });
    subscribing.on('error', (error) => {
      ended = true;
      reject(error);
    });
    const framework_info = {
      user: 'root',
      name: 'witness',
      roles: ['witness'],
      capabilities: [{ type: 'MULTI_ROLE' }],
    };
    subscribing.end(JSON.stringify({ type: 'SUBSCRIBE', subscribe: { framework_info } }));
    const witness: Witness = {
      get frameworkId() {
        return frameworkId;
      },
      get streamId() {
        return streamId;
      },
      get agentId() {
        return agentId;
      },
      offerId: () => offerId,
      events: () => events,
      lastEvent: () => lastEvent,
      ended: () => ended,
      close: () => void subscribing.destroy(),
    };
  });
}
