import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause, until } from '@meseta/platform/testing/until';
import type { SchedulerEvent } from '@meseta/wire';
import { connectScheduler, MesetaError, type Scheduler, type SchedulerOptions } from './index.js';
import { type OpenStream, type Script, type ScriptedMaster, scriptedMaster, subscribed, update } from './testing.js';

const framework = { name: 'test' };

/** A master, a scheduler on it and what it is given; both are gone afterwards. */
async function against(
  script: Script,
  use: (scheduler: Scheduler, master: ScriptedMaster) => Promise<void>,
  options: Partial<SchedulerOptions> = {},
): Promise<void> {
  const master = await scriptedMaster(script);
  const scheduler = connectScheduler({ master: master.address, framework, ...options });
  try {
    await use(scheduler, master);
  } finally {
    scheduler.close();
    await master.close();
  }
}

/** The next event of that type. */
async function next(events: AsyncIterator<SchedulerEvent>, type: SchedulerEvent['type']): Promise<SchedulerEvent> {
  for (;;) {
    const { done, value } = await events.next();
    assert.ok(!done, `the events ended before ${type}`);
    if (value.type === type) return value;
  }
}

test('SCHEDULER-3: a subscription whose stream ends is renewed with the same framework id', async () => {
  const script: Script = {
    onStream(stream) {
      stream.send(subscribed('F1'));
      stream.end();
    },
  };
  await against(script, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'SUBSCRIBED');
    await next(events, 'SUBSCRIBED');
    const [first, second] = master.callsOf('SUBSCRIBE');
    assert.equal(first?.framework_id, undefined);
    assert.equal(second?.framework_id?.value, 'F1');
    assert.equal(second?.subscribe?.framework_info.id?.value, 'F1');
    assert.equal(scheduler.frameworkId, 'F1');
  });
});

test('SCHEDULER-1: between a subscription that ended and the next, a call is refused and not sent on the old one', async () => {
  let tried: (() => void) | undefined;
  const again = new Promise<void>((resolve) => {
    tried = resolve;
  });
  const script: Script = {
    onSubscribe(_, nth) {
      if (nth === 0) return undefined;
      tried?.();
      return { status: 503, text: 'recovering' };
    },
    onStream(stream) {
      stream.send(subscribed('F1'));
      stream.end();
    },
  };
  await against(script, async (scheduler, master) => {
    await next(scheduler[Symbol.asyncIterator](), 'SUBSCRIBED');
    await again;
    await assert.rejects(scheduler.call('REVIVE'), { code: 'disconnected', message: /REVIVE: not subscribed/ });
    assert.equal(master.callsOf('REVIVE').length, 0);
  });
});

test('SCHEDULER-4: a subscription that is silent for three heartbeats is renewed', async () => {
  await against({ onStream: (stream) => stream.send(subscribed('F1', 0.05)) }, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'SUBSCRIBED');
    await next(events, 'SUBSCRIBED');
    assert.ok(master.callsOf('SUBSCRIBE').length >= 2);
  });
});

test('SCHEDULER-4: heartbeats keep a subscription', async () => {
  let beats = 0;
  const script: Script = {
    onStream(stream) {
      stream.send(subscribed('F1', 0.1));
      const timer = setInterval(() => {
        stream.send({ type: 'HEARTBEAT' });
        if (++beats === 8) clearInterval(timer);
      }, 50);
    },
  };
  await against(script, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    for (let beat = 0; beat < 8; beat++) await next(events, 'HEARTBEAT');
    assert.equal(master.callsOf('SUBSCRIBE').length, 1);
  });
});

test('SCHEDULER-4: an interval of heartbeats longer than a timer can wait does not renew the subscription', async () => {
  const script: Script = {
    onStream(stream) {
      stream.send(subscribed('F1', 1e12));
      setTimeout(() => stream.send({ type: 'HEARTBEAT' }), 100);
    },
  };
  await against(script, async (scheduler, master) => {
    await next(scheduler[Symbol.asyncIterator](), 'HEARTBEAT');
    assert.equal(master.callsOf('SUBSCRIBE').length, 1);
  });
});

test('SCHEDULER-2: an update is acknowledged when the reader takes the next event, not before', async () => {
  const script: Script = {
    onStream(stream) {
      stream.send(subscribed('F1'));
      stream.send(update('t'));
      stream.send({ type: 'HEARTBEAT' });
    },
  };
  await against(script, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'UPDATE');
    await scheduler.call('REVIVE');
    assert.equal(master.callsOf('ACKNOWLEDGE').length, 0);
    await next(events, 'HEARTBEAT');
    // It travels beside the next event.
    await until('the acknowledgement arrives', () => master.callsOf('ACKNOWLEDGE').length > 0);
    const [acknowledged] = master.callsOf('ACKNOWLEDGE');
    assert.equal(acknowledged?.acknowledge?.task_id.value, 't');
    const header = master.received.find(({ call }) => call.type === 'ACKNOWLEDGE')?.headers['mesos-stream-id'];
    assert.equal(header, 'stream-0');
  });
});

test('with manual acknowledgement only the reader acknowledges', async () => {
  const script: Script = {
    onStream(stream) {
      for (const event of [subscribed('F1'), update('t'), { type: 'HEARTBEAT' } as const]) stream.send(event);
    },
  };
  await against(
    script,
    async (scheduler, master) => {
      const events = scheduler[Symbol.asyncIterator]();
      const { update: given } = await next(events, 'UPDATE');
      await next(events, 'HEARTBEAT');
      assert.equal(master.callsOf('ACKNOWLEDGE').length, 0);
      assert.ok(given);
      await scheduler.acknowledge(given);
      assert.equal(master.callsOf('ACKNOWLEDGE').length, 1);
    },
    { acknowledge: 'manual' },
  );
});

test('an ERROR event ends the iteration with its text', async () => {
  const script: Script = {
    onStream(stream) {
      stream.send(subscribed('F1'));
      stream.send({ type: 'ERROR', error: { message: 'Framework failed over' } });
    },
  };
  await against(script, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'SUBSCRIBED');
    await assert.rejects(events.next(), (error: unknown) => {
      assert.ok(error instanceof MesetaError);
      assert.deepEqual([error.code, error.message], ['framework', 'Framework failed over']);
      return true;
    });
    assert.equal(master.callsOf('SUBSCRIBE').length, 1);
  });
});

test('SCHEDULER-3: SUBSCRIBE is repeated after a 503; a 403 is final and rejects with its text', async () => {
  const recovering: Script = {
    onSubscribe: (_, nth) => (nth === 0 ? { status: 503, text: 'recovering' } : undefined),
    onStream: (stream) => stream.send(subscribed('F1')),
  };
  await against(recovering, async (scheduler, master) => {
    await next(scheduler[Symbol.asyncIterator](), 'SUBSCRIBED');
    assert.equal(master.callsOf('SUBSCRIBE').length, 2);
  });
  await against({ onSubscribe: () => ({ status: 403, text: 'not you' }) }, async (scheduler, master) => {
    await assert.rejects(scheduler[Symbol.asyncIterator]().next(), {
      code: 'refused',
      status: 403,
      message: /not you/,
    });
    assert.equal(master.callsOf('SUBSCRIBE').length, 1);
  });
});

test('a redirect is followed to the leader, with the credentials', async () => {
  const leader = await scriptedMaster({ onStream: (stream) => stream.send(subscribed('F1')) });
  const location = `//${leader.address}/master/api/v1/scheduler`;
  const follower: Script = { onSubscribe: () => ({ status: 307, headers: { Location: location } }) };
  try {
    await against(
      follower,
      async (scheduler) => {
        await next(scheduler[Symbol.asyncIterator](), 'SUBSCRIBED');
        await scheduler.call('REVIVE');
        const expected = `Basic ${Buffer.from('me:sécret').toString('base64')}`;
        assert.deepEqual(
          leader.received.map(({ call, headers }) => [call.type, headers.authorization]),
          [
            ['SUBSCRIBE', expected],
            ['REVIVE', expected],
          ],
        );
      },
      { credential: { principal: 'me', secret: 'sécret' } },
    );
  } finally {
    await leader.close();
  }
});

test('SCHEDULER-4: a call on a stream that the master no longer knows renews the subscription', async () => {
  for (const refusal of [
    { status: 403, text: 'Framework is not subscribed' },
    { status: 400, text: "The stream ID 'stream-0' included in this request didn't match" },
  ]) {
    const script: Script = {
      onStream: (stream, nth) => stream.send(subscribed(`F${nth}`)),
      onCall: ({ headers }) => (headers['mesos-stream-id'] === 'stream-0' ? refusal : undefined),
    };
    await against(script, async (scheduler) => {
      const events = scheduler[Symbol.asyncIterator]();
      await next(events, 'SUBSCRIBED');
      await assert.rejects(scheduler.call('REVIVE'), { code: 'refused', status: refusal.status });
      await next(events, 'SUBSCRIBED');
      await scheduler.call('REVIVE');
    });
  }
  const malformed: Script = {
    onStream: (stream) => stream.send(subscribed('F1')),
    onCall: () => ({ status: 400, text: "Field 'kill' is required" }),
  };
  await against(malformed, async (scheduler, master) => {
    await next(scheduler[Symbol.asyncIterator](), 'SUBSCRIBED');
    await assert.rejects(scheduler.call('KILL'), { code: 'refused', status: 400 });
    await assert.rejects(scheduler.call('KILL'), { code: 'refused', status: 400 });
    assert.equal(master.callsOf('SUBSCRIBE').length, 1);
  });
});

test('EVENT-QUEUE-1, EVENT-QUEUE-2: a reader that takes no events stops the socket, and receives all events in order later', async () => {
  const COUNT = 4000;
  const big = Buffer.alloc(16_384).toString('base64');
  let stream: OpenStream | undefined;
  const events: SchedulerEvent[] = [];
  const numbered: Script = {
    onStream(opened) {
      stream = opened;
      opened.send(subscribed('F1'));
      for (let at = 0; at < COUNT; at++) {
        const message = { agent_id: { value: 'S0' }, executor_id: { value: `${at}` }, data: big };
        opened.send({ type: 'MESSAGE', message });
      }
    },
  };
  await against(
    numbered,
    async (scheduler) => {
      const iterator = scheduler[Symbol.asyncIterator]();
      await next(iterator, 'SUBSCRIBED');
      let before = -1;
      while (stream !== undefined && stream.unsent() !== before) {
        before = stream.unsent();
        await pause(200);
      }
      assert.ok(before > (COUNT * big.length) / 4, `${before} bytes wait at the server`);
      while (events.length < COUNT) events.push(await next(iterator, 'MESSAGE'));
      assert.deepEqual(
        events.map(({ message }) => message?.executor_id.value),
        Array.from({ length: COUNT }, (_, at) => `${at}`),
      );
    },
    { maxQueuedEvents: 8 },
  );
});

test('a closed scheduler ends its iteration and rejects calls', async () => {
  await against({ onStream: (stream) => stream.send(subscribed('F1')) }, async (scheduler) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'SUBSCRIBED');
    scheduler.close();
    assert.equal((await events.next()).done, true);
    await assert.rejects(scheduler.call('REVIVE'), { code: 'closed' });
  });
});

test('a teardown resolves although the master ends the stream with it', async () => {
  let stream: OpenStream | undefined;
  const script: Script = {
    onStream(opened) {
      stream = opened;
      opened.send(subscribed('F1'));
    },
    onCall: () => {
      stream?.end();
      // Longer than the first pause before a reconnection.
      return { status: 202, afterMs: 400 };
    },
  };
  await against(script, async (scheduler, master) => {
    const events = scheduler[Symbol.asyncIterator]();
    await next(events, 'SUBSCRIBED');
    await scheduler.teardown();
    assert.equal((await events.next()).done, true);
    assert.equal(master.callsOf('TEARDOWN').length, 1);
  });
});
