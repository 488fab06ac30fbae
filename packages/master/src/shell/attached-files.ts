// What /files/* and the calls LIST_FILES, READ_FILE show of a master: its log, where that is in a file.
import { refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import type { FindRoot } from '@meseta/platform/shown-files';
import { type Authorizer, allows, principalOf } from '@meseta/security';

const LOG = '/master/log';

/** `logFile` is the one that this master writes, or an `--external_log_file`. */
export const attachedFiles = (logFile: string | undefined): ReadonlyMap<string, string> =>
  new Map(logFile === undefined ? [] : [[LOG, logFile]]);

export function rootsFor(attached: ReadonlyMap<string, string>, authorizer: Authorizer) {
  return (principal: string | undefined): FindRoot => {
    const subject = principal === undefined ? undefined : principalOf(principal);
    const may = allows(authorizer.approverFor(subject, 'ACCESS_MESOS_LOG'));
    return (virtualPath) => {
      const path = attached.get(virtualPath);
      if (path === undefined) return undefined;
      return may ? ok(path) : err(refusal('forbidden', `The log ${virtualPath} may not be accessed`));
    };
  };
}
