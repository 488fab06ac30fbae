// Performs the effects of the core.
import type { Host, Logger } from '@meseta/platform';
import { writeCoreLine } from '@meseta/platform/core-log';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import type { MasterEffect, Note } from '../core/io.js';
import type { RegistryState } from '../registry/state.js';
import type { RegistryLog } from './registry-log.js';
import type { Requests } from './requests.js';

/** What effects act on. */
export interface EffectTargets {
  readonly host: Host;
  readonly requests: Requests;
  /** The registry's log of the current term. */
  registry(): RegistryLog;
  /** LEADERSHIP-1. */
  isTermOver(): boolean;
  readonly log: Logger;
  durableRegistry(): RegistryState;
  onNote(note: Note): void;
  onExit(message: string): void;
}

export function createPerformer(targets: EffectTargets): (effect: MasterEffect) => void {
  const { host, requests } = targets;
  return (effect) => {
    if (targets.isTermOver()) return;
    switch (effect.kind) {
      case 'send': {
        const { wireName, bytes } = encodeMessage(effect.message);
        for (const to of effect.to) host.send(to, effect.from, wireName, bytes);
        return;
      }
      case 'link':
        return host.link(effect.to);
      case 'unlink':
        return host.unlink(effect.to);
      case 'reply':
        return requests.reply(effect.request, effect.reply);
      case 'openStream':
        return requests.open(effect.request, effect.stream);
      case 'event':
        return requests.write(effect.streams, effect.event);
      case 'closeStream':
        return requests.close(effect.stream);
      case 'persist':
        return targets.registry().persist(effect.operations, targets.durableRegistry());
      case 'note':
        if (effect.note.kind === 'log') writeCoreLine(targets.log, effect.note);
        return targets.onNote(effect.note);
      case 'exit':
        return targets.onExit(effect.message);
    }
  };
}
