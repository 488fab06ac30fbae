// What /files/* and the calls LIST_FILES, READ_FILE show of a master: its log, where that is in a file.
import { refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import type { FindRoot } from '@meseta/platform/shown-files';
import { type Authorizer, allows, principalOf } from '@meseta/security';

const LOG = '/master/log';

/** `logFile` is the one that this master writes, or an `--external_log_file`. */
export const attachedFiles = (logFile: string | undefined): ReadonlyMap<string, string> =>
  new Map(logFile === undefined ? [] : [[LOG, logFile]]);

/** What /files/debug lists for a principal. */
export const listFor =
  (attached: ReadonlyMap<string, string>, authorizer: Authorizer) =>
  (principal: string | undefined): Iterable<readonly [string, string]> =>
    mayReadLog(authorizer, principal) ? attached : [];

const mayReadLog = (authorizer: Authorizer, principal: string | undefined): boolean =>
  allows(authorizer.approverFor(principal === undefined ? undefined : principalOf(principal), 'ACCESS_MESOS_LOG'));

export function rootsFor(attached: ReadonlyMap<string, string>, authorizer: Authorizer) {
  return (principal: string | undefined): FindRoot => {
    const may = mayReadLog(authorizer, principal);
    return (virtualPath) => {
      const path = attached.get(virtualPath);
      if (path === undefined) return undefined;
      return may ? ok(path) : err(refusal('forbidden', `The log ${virtualPath} may not be accessed`));
    };
  };
}
