// The files that /files/* and the calls LIST_FILES and READ_FILE show: the master's log, if it is written to a file.
import { refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import type { FindRoot } from '@meseta/platform/shown-files';
import { type Authorizer, allows, principalOf } from '@meseta/security';

const LOG = '/master/log';

/** `logFile`: the log that this master writes, or `--external_log_file`. */
export const attachedFiles = (logFile: string | undefined): ReadonlyMap<string, string> =>
  new Map(logFile === undefined ? [] : [[LOG, logFile]]);

/** The files that /files/debug lists for a principal. */
export const attachedFilesFor =
  (attached: ReadonlyMap<string, string>, authorizer: Authorizer) =>
  (principal: string | undefined): Iterable<readonly [string, string]> =>
    mayReadLog(authorizer, principal) ? attached : [];

const mayReadLog = (authorizer: Authorizer, principal: string | undefined): boolean =>
  allows(authorizer.approverFor(principal === undefined ? undefined : principalOf(principal), 'ACCESS_MESOS_LOG'));

/** Resolves the virtual paths that a principal may read. */
export function findRootFor(attached: ReadonlyMap<string, string>, authorizer: Authorizer) {
  return (principal: string | undefined): FindRoot => {
    const isAllowed = mayReadLog(authorizer, principal);
    return (virtualPath) => {
      const path = attached.get(virtualPath);
      if (path === undefined) return undefined;
      return isAllowed ? ok(path) : err(refusal('forbidden', `The log ${virtualPath} may not be accessed`));
    };
  };
}
