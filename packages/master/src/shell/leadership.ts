// This master's candidacy: it contends, leads for one term, and ends when the term is over.
//
// Owns: the term, and the leader that the other masters and this one have elected.
// Boundary: the coordination decides who leads; the core learns of its election only after the registry was read.
// LEADERSHIP-1: a master whose term is over, whether the coordination reports it or its own clock shows it (after a pause), performs
//     no effect and answers no request as the leader. It ends, so that its supervisor starts it as a candidate again.
import type { Coordination, FencedLog } from '@meseta/coordination';
import type { Logger } from '@meseta/platform';
import type { MasterInfo } from '@meseta/wire';
import { MasterInfoCodec } from '@meseta/wire/codecs';
import { type ElectedMaster, readElectedMaster } from '@meseta/wire/leader-info';

export interface Leadership {
  /** Contends; resolves with the log of the term once this master is elected. */
  contend(info: MasterInfo): Promise<FencedLog>;
  /** LEADERSHIP-1: whether this master was elected and its term has ended. Ends the process when it finds the term ended. */
  isTermOver(): boolean;
  /** The elected master; undefined while none is known. */
  leader(): ElectedMaster | undefined;
  /** Ends the term, if there is one, without ending the process. */
  close(): Promise<void>;
}

export interface LeadershipOptions {
  readonly coordination: Coordination;
  readonly log: Logger;
  /** By the clock of the terms. */
  readonly monoMs: () => number;
  onExit(message: string): void;
}

export function createLeadership({ coordination, log, monoMs, onExit }: LeadershipOptions): Leadership {
  let leader: ElectedMaster | undefined;
  let validUntilMonoMs: (() => number) | undefined;
  let isOver = false;

  const endTerm = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    onExit(`this master no longer leads: ${reason}`);
  };

  coordination.watch((elected) => {
    const read = elected && readElectedMaster(elected.info);
    if (read?.ok === false) log.limited('warning', 'leader', `the leader's MasterInfo is invalid: ${read.error}`);
    leader = read?.ok ? read.value : undefined;
    if (leader !== undefined) log.info(`the leading master is ${leader.pid}`);
  });

  return {
    async contend(info) {
      const term = await coordination.contend(Buffer.from(MasterInfoCodec.write(info)));
      log.info(`elected: the term has epoch ${term.epoch}`);
      validUntilMonoMs = term.validUntilMonoMs;
      void term.lost.then(endTerm);
      return coordination.openLog(term);
    },
    isTermOver() {
      if (validUntilMonoMs !== undefined && monoMs() >= validUntilMonoMs())
        endTerm('its term has passed without an answer from the coordination service');
      return isOver;
    },
    leader: () => leader,
    async close() {
      isOver = true;
      await coordination.close();
    },
  };
}
