// Schedulers' calls at the master.
import type { FrameworkId, Pid } from '@meseta/base';
import type { StreamId } from '@meseta/master/core/io';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { schedulerCallIn } from './scheduler-messages.js';

export const calls: CheckerKind = {
  name: 'calls',
  invariants: {
    'calls on an outdated stream are refused':
      "A call that names another stream than the framework's current one is refused; a call of a driver that was replaced is dropped.",
    'every scheduler call is answered at once': 'The step that takes the call answers it.',
    'no event is sent on a closed stream': 'Every event goes to a stream that is open.',
  },
  allowances: {},
  create: createCallsChecker,
};

function createCallsChecker({ world }: Cluster, count: Count): Checker {
  let currentStream: StreamId | undefined;
  let currentDriver: Pid | undefined;
  const streams = new Map<MasterProcess, Set<StreamId>>();
  return {
    observer: {
      masterStarted: (master) => void streams.set(master, new Set()),
      beforeMasterStep(master, input) {
        const frameworkId = schedulerCallIn(input)?.framework_id?.value;
        if (frameworkId === undefined) return;
        const connection = master.core.state.frameworks.get(frameworkId as FrameworkId)?.connection;
        currentStream = connection?.kind === 'stream' ? connection.id : undefined;
        currentDriver = connection?.kind === 'pid' ? connection.pid : undefined;
      },
      masterStepped(master, input, effects) {
        const open = streams.get(master) ?? new Set();
        for (const effect of effects) {
          if (effect.kind === 'openStream') open.add(effect.stream);
          if (effect.kind === 'event') {
            const unknownStream = effect.streams.find((stream) => !open.has(stream));
            if (unknownStream === undefined) continue;
            world.fail(
              'no event is sent on a closed stream',
              `${master.name}: ${effect.event.type} on ${unknownStream}`,
            );
          }
          if (effect.kind === 'closeStream') open.delete(effect.stream);
        }
        if (input.kind === 'streamClosed') open.delete(input.stream);
        if (input.kind === 'message' && input.message.name === 'SchedulerCall') {
          count("drivers' calls");
          const { type, framework_id } = input.message.body;
          // A driver whose connection broke gets an error, upon which it stops.
          const effect = effects.find(
            (it) =>
              it.kind !== 'note' &&
              it.kind !== 'persist' &&
              !(it.kind === 'send' && it.message.name === 'FrameworkErrorMessage'),
          );
          if (type === 'SUBSCRIBE' || input.from === currentDriver || effect === undefined) return;
          const text = `${master.name}: ${type} of ${input.from}, now ${currentDriver}: ${effect.kind}`;
          world.fail('calls on an outdated stream are refused', text, [framework_id?.value ?? '']);
        }
        if (input.kind !== 'schedulerCall') return;
        count('scheduler calls');
        const { call, request, streamId } = input;
        const subjects = [call.framework_id?.value ?? ''];
        const answer = effects.find(
          (it) => (it.kind === 'reply' || it.kind === 'openStream') && it.request === request,
        );
        if (answer === undefined) {
          return world.fail('every scheduler call is answered at once', `${master.name}: ${call.type}`, subjects);
        }
        if (call.type === 'SUBSCRIBE' || streamId === currentStream) return;
        count('calls on outdated streams');
        if (answer.kind === 'reply' && answer.reply.status >= 400) return;
        world.fail(
          'calls on an outdated stream are refused',
          `${master.name}: ${call.type} on ${streamId}, now ${currentStream}`,
          subjects,
        );
      },
    },
  };
}
