// The master's core: one input in, an ordered list of effects out. See DESIGN.md, "Cores and shells".
import type { Now, Random } from '@meseta/base';
import type { MasterEffect, MasterIdentity, MasterInput } from './io.js';
import type { MasterOptions } from './options.js';
import type { MasterState } from './state.js';

export interface Master {
  /** For views: read only. */
  readonly state: MasterState;
  step(input: MasterInput, now: Now): readonly MasterEffect[];
  /** The monotonic time at which to feed a `tick`; undefined when nothing is due. */
  nextDeadline(): number | undefined;
  /** Feed `continue` once no peer's message waits. */
  hasWork(): boolean;
}

export declare function createMaster(identity: MasterIdentity, options: MasterOptions, random: Random): Master;
