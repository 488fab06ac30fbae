// Several masters: only the newest term writes, and only the master that an agent follows launches on it.
import type { MasterEffect } from '@meseta/master/core/io';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const terms: CheckerKind = {
  name: 'terms',
  invariants: {
    'the registry is written in one term':
      'Once a master of a newer term has started, no write of an older term is made.',
    'a leader whose write failed ends': 'It was refused, or its answer is lost: the master takes no step after that.',
    'a master leads only after the registry names it':
      'Before a write of its term is made it sends nothing and answers calls only by 503.',
    'an agent launches only for the master that it follows':
      'A launch that another master sends, deposed or not yet detected, starts no container and changes nothing on disk.',
  },
  allowances: {},
  create: createTermsChecker,
};

const isOfLeader = (effect: MasterEffect): boolean =>
  effect.kind === 'send' ||
  effect.kind === 'event' ||
  effect.kind === 'openStream' ||
  (effect.kind === 'reply' && effect.reply.status !== 503);

function createTermsChecker({ world }: Cluster, count: Count): Checker {
  /** The pid of the master that an agent was told of last, by the agent's process. */
  const followed = new WeakMap<object, string | undefined>();
  let newest: MasterProcess | undefined;
  const failed = new Set<number>();
  /** The terms with a write: the first one names the master. */
  const named = new Set<number>();
  return {
    observer: {
      masterStarted(master) {
        newest = master;
      },
      registryWritten(_operations, epoch) {
        named.add(epoch);
        count('registry writes checked for their term');
        if (newest === undefined || epoch >= newest.epoch) return;
        world.fail('the registry is written in one term', `epoch ${epoch} after ${newest.epoch}`, [newest.name]);
      },
      registryFailed(epoch) {
        failed.add(epoch);
        count('failed registry writes');
      },
      beforeMasterStep({ name, epoch }) {
        if (failed.has(epoch)) world.fail('a leader whose write failed ends', `${name} in term ${epoch}`, [name]);
      },
      masterStepped({ name, epoch }, _input, effects) {
        if (named.has(epoch)) return;
        const early = effects.find(isOfLeader);
        if (early === undefined) return;
        world.fail('a master leads only after the registry names it', `${name} in term ${epoch}: ${early.kind}`, [
          name,
        ]);
      },
      agentStepped(agent, input, effects) {
        const { core } = agent;
        if (core === undefined) return;
        if (input.kind === 'masterDetected') followed.set(core, input.master);
        if (input.kind !== 'message') return;
        const { name } = input.message;
        if (name !== 'RunTaskMessage' && name !== 'RunTaskGroupMessage') return;
        count('launches checked for their master');
        if (input.from === followed.get(core)) return;
        count('launches of a master that the agent does not follow');
        if (!effects.some(({ kind }) => kind === 'launch' || kind === 'checkpoint')) return;
        const text = `${name} of ${input.from}, follows ${followed.get(core)}`;
        world.fail('an agent launches only for the master that it follows', text, [input.from]);
      },
    },
  };
}
