// The files that /files/* and the calls LIST_FILES and READ_FILE show of an agent: the sandboxes and its log.
import { refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import type { FindRoot } from '@meseta/platform/shown-files';
import type { ExecutorInfo, FrameworkInfo } from '@meseta/wire';
import type { AgentState } from '../core/state.js';
import type { Approver } from '../views/approver.js';
import { executorsOf, frameworksOf } from '../views/shown-executors.js';

/** A directory whose files are shown. `owner` is undefined when the agent no longer knows the sandbox's executor. */
interface Attached {
  readonly path: string;
  readonly owner: { readonly info: ExecutorInfo; readonly framework: FrameworkInfo } | undefined;
}

/** Every sandbox on disk by virtual path. The newest run of an executor has the name `latest` too. */
function attachedPaths(state: AgentState): ReadonlyMap<string, Attached> {
  const paths = new Map<string, Attached>();
  for (const { path } of state.sandboxes.values()) paths.set(path, { path, owner: undefined });
  for (const { framework } of frameworksOf(state)) {
    for (const { executor } of [...executorsOf(framework)].reverse()) {
      const { sandbox } = executor;
      const latest = `${sandbox.slice(0, sandbox.lastIndexOf('/'))}/latest`;
      const attached = { path: sandbox, owner: { info: executor.info, framework: framework.info } };
      paths.set(sandbox, attached);
      paths.set(latest, attached);
      paths.set(latest.slice(latest.indexOf('/frameworks/')), attached);
    }
  }
  return paths;
}

const LOG = '/slave/log';

/** The virtual paths, with the paths on disk, of the sandboxes and the log that a viewer may access. */
export const attachedList = (
  state: AgentState,
  approver: Approver,
  logFile: string | undefined,
): readonly (readonly [string, string])[] => [
  ...(logFile === undefined || !approver.log ? [] : [[LOG, logFile] as const]),
  ...[...attachedPaths(state)].flatMap(([name, { path, owner }]) =>
    approver.sandbox(owner) ? [[name, path] as const] : [],
  ),
];

/** Resolves virtual paths for a viewer; a path that the viewer may not access is refused. */
export function rootsFor(state: AgentState, approver: Approver, logFile: string | undefined): FindRoot {
  const attached = attachedPaths(state);
  return (virtualPath) => {
    const found = virtualPath === LOG && logFile !== undefined ? { path: logFile } : attached.get(virtualPath);
    if (found === undefined) return undefined;
    const may = 'owner' in found ? approver.sandbox(found.owner) : approver.log;
    return may ? ok(found.path) : err(refusal('forbidden', `${virtualPath} may not be accessed`));
  };
}
