// Carries out the core's effects, in the order in which it gave them.
import type { Host } from '@meseta/platform';
import type { CoreLog } from '@meseta/platform/core-log';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import type { MasterEffect, MasterInput, Note } from '../core/io.js';
import type { RegistryState } from '../registry/state.js';
import type { RegistryLog } from './registry-log.js';
import type { Requests } from './requests.js';

export interface Outside {
  readonly host: Host;
  readonly requests: Requests;
  readonly registry: RegistryLog;
  readonly coreLog: CoreLog<MasterInput>;
  durableRegistry(): RegistryState;
  onNote(note: Note): void;
  onExit(message: string): void;
}

export function createPerformer(outside: Outside): (effect: MasterEffect) => void {
  const { host, requests, registry } = outside;
  return (effect) => {
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
        return registry.persist(effect.operations, outside.durableRegistry());
      case 'note':
        if (effect.note.kind === 'log') outside.coreLog.write(effect.note.level, effect.note.text);
        return outside.onNote(effect.note);
      case 'exit':
        return outside.onExit(effect.message);
    }
  };
}
