// Prepares a container: makes its sandbox for its user, with links to its volumes, and its plan; and for the first task of a
// pod, the sandbox of the pod.
import {
  type AbortSignalLike,
  type DirectoryHandle,
  err,
  type Files,
  type Owner,
  ok,
  type Result,
  type SystemResult,
} from '@meseta/base';
import { createConcurrencyLimit } from '../concurrency.js';
import type { PlanPatch, VolumeLink } from '../isolators/isolator.js';
import {
  applyPatch,
  type ContainerPlan,
  type LaunchOwner,
  type LaunchPlan,
  type PlanContext,
  type PlanDirectory,
  planContainer,
} from '../plan/plan.js';
import type { ContainerSpec } from '../types.js';
import type { Removals } from './removal.js';
import {
  createStreams,
  emptyStreams,
  isNested,
  LATEST,
  makeSandbox,
  openOrMake,
  openSandbox,
  requireProtected,
  within,
} from './sandbox.js';
import { linkVolume } from './volumes.js';

/** The mode of the directory with the links to pod tasks. */
const LINKS_MODE = 0o755;

/** Each preparation of a sandbox holds a few descriptors, and thousands of containers may be launched at the same time. */
const MAX_PREPARATIONS = 64;

export interface PreparationPorts {
  readonly files: Files;
  readonly removals: Pick<Removals, 'endedAround'>;
  readonly resolveOwner: (user: string | undefined) => Promise<Result<LaunchOwner | undefined, string>>;
  readonly context: PlanContext;
}

export interface Preparation {
  /** Makes the sandbox of a container with its volumes, and the container's plan. */
  prepare(spec: ContainerSpec, signal: AbortSignalLike): Promise<Result<LaunchPlan, string>>;
  /** Makes the files of a container's output, if they are missing. */
  makeStreams(sandbox: string, owner: Owner | undefined): Promise<Result<void, string>>;
}

export function createPreparation({ files, removals, resolveOwner, context }: PreparationPorts): Preparation {
  const limitPreparations = createConcurrencyLimit(MAX_PREPARATIONS);
  const limitStreams = createConcurrencyLimit(MAX_PREPARATIONS);

  const makeStreams: Preparation['makeStreams'] = (path, owner) =>
    limitStreams(async () => {
      const made = await within(await openSandbox(files, path), (sandbox) => createStreams(sandbox, owner));
      return made.ok ? made : err(`sandbox: ${made.error.message}`);
    });

  /** Empties the output of an earlier session with the same id. Returns the sandbox of the parent. */
  async function prepareSession({ sandbox, outer }: ContainerSpec): Promise<SystemResult<PlanDirectory>> {
    const emptied = await within(await openSandbox(files, sandbox), emptyStreams);
    if (!emptied.ok) return emptied;
    const path = outer?.sandbox ?? sandbox;
    return within(await openSandbox(files, path), async ({ stat }) => ok({ path, identity: stat.identity }));
  }

  /** Makes the sandbox. */
  async function begin(spec: ContainerSpec): Promise<Result<Begun, string>> {
    const owner = await resolveOwner(spec.user);
    if (!owner.ok) return owner;
    const identity = await prepareSandbox(files, spec, owner.value);
    return identity.ok ? ok({ owner: owner.value, identity: identity.value }) : identity;
  }

  async function finish(
    spec: ContainerSpec,
    { owner, identity }: Begun,
    planned: Result<ContainerPlan, string>,
  ): Promise<Result<LaunchPlan, string>> {
    const problem = planned.ok ? await linkVolumes(files, spec.sandbox, planned.value.links, owner) : planned.error;
    // The supervisor opens the streams of its own user; those of another are made after the fetch, if there is one. People
    // may look for the streams of a container that is not started.
    if ((owner !== undefined && spec.uris.length === 0) || problem !== undefined) {
      const made = await makeStreams(spec.sandbox, owner);
      if (!made.ok) return err(problem ?? made.error);
    }
    if (!planned.ok || problem !== undefined) return err(problem ?? '');
    const session = spec.isSession === true ? await prepareSession(spec) : undefined;
    if (session?.ok === false) return err(`sandbox: ${session.error.message}`);
    const directory = { path: spec.sandbox, identity };
    return ok({ ...planned.value.command, directory, startDirectory: session?.value });
  }

  return {
    makeStreams,
    async prepare(spec, signal) {
      // REMOVAL-1.
      await removals.endedAround(spec.sandbox);
      const begun = await limitPreparations(() => begin(spec));
      if (!begun.ok) return begun;
      // Without the limit: isolators may take long, to pull an image for instance, and other containers must not wait for that.
      const planned = await planAndPrepare(spec, begun.value.owner, context, signal);
      return limitPreparations(() => finish(spec, begun.value, planned));
    },
  };
}

/** A container whose sandbox is made. */
interface Begun {
  readonly owner: LaunchOwner | undefined;
  /** The identity of the sandbox. */
  readonly identity: string;
}

/** The container's plan, with what the isolators have made for it. */
async function planAndPrepare(
  spec: ContainerSpec,
  owner: LaunchOwner | undefined,
  context: PlanContext,
  signal: AbortSignalLike,
): Promise<Result<ContainerPlan, string>> {
  const planned = planContainer(spec, owner, context);
  if (!planned.ok) return planned;
  let plan = planned.value;
  let root: PlanPatch['root'];
  let variables: PlanPatch['variables'];
  for (const isolator of context.isolators) {
    const patch = await isolator.prepare?.(spec, { owner, host: context.host, signal });
    if (patch?.ok === false) return patch;
    if (patch === undefined) continue;
    const { root: ownRoot, variables: added, ...others } = patch.value;
    root = ownRoot ?? root;
    variables = added ?? variables;
    plan = applyPatch(plan, others);
  }
  const environment = { ...plan.command.environment, ...variables };
  // All mounts move into it.
  return ok(applyPatch(plan, { environment, ...(root === undefined ? {} : { root }) }));
}

/** Makes a container's sandbox, owned by its user (undefined: the agent's own). Returns its identity. */
export async function prepareSandbox(
  files: Files,
  { sandbox: path, outer, isPod }: Pick<ContainerSpec, 'sandbox' | 'outer' | 'isPod'>,
  owner: Owner | undefined,
): Promise<Result<string, string>> {
  if (isPod === true) {
    const known = await within(await openSandbox(files, path), async ({ stat }) => ok(stat.identity));
    return known.ok ? known : err(`sandbox: ${known.error.message}`);
  }
  const isPodTask = outer?.pod !== undefined;
  if (isPodTask) {
    const problem = await serializePods(() => preparePod(files, outer.sandbox, owner));
    if (problem !== undefined) return err(problem);
  }
  const sandbox = await makeSandbox(files, path, owner, isNested(path) ? undefined : linkLatest(path));
  if (!sandbox.ok) return err(`sandbox: ${sandbox.error.message}`);
  sandbox.value.close();
  if (isPodTask) await linkPodTask(files, outer.sandbox, outer.pod.taskId, path);
  return ok(sandbox.value.stat.identity);
}

/** Links the volumes of a container into its sandbox. Returns why that failed. */
async function linkVolumes(
  files: Files,
  sandbox: string,
  links: readonly VolumeLink[],
  owner: Owner | undefined,
): Promise<string | undefined> {
  for (const link of links) {
    const problem = await linkVolume(files, sandbox, link, owner);
    if (problem !== undefined) return `volume ${link.containerPath}: ${problem}`;
  }
  return undefined;
}

/** A pod's tasks are launched at the same time: each must find the pod's sandbox complete or missing. */
const serializePods = createConcurrencyLimit(1);

/** Makes a pod's sandbox with its streams. It belongs to the user of the first pod task. */
async function preparePod(files: Files, path: string, owner: Owner | undefined): Promise<string | undefined> {
  const known = await openSandbox(files, path);
  if (known.ok) {
    known.value.close();
    return undefined;
  }
  const sandbox = await makeSandbox(files, path, owner, linkLatest(path));
  if (!sandbox.ok) return `sandbox: ${sandbox.error.message}`;
  const streams = await createStreams(sandbox.value, owner);
  sandbox.value.close();
  return streams.ok ? undefined : `sandbox: ${streams.error.message}`;
}

/** Links a pod task's sandbox under the task's id, by which people look for it. */
async function linkPodTask(files: Files, pod: string, taskId: string, sandbox: string): Promise<void> {
  await within(await openSandbox(files, pod), async (directory) =>
    within(requireProtected(await openOrMake(directory, 'tasks', { mode: LINKS_MODE })), (links) =>
      links.makeLink(taskId, sandbox),
    ),
  );
}

/** Makes the link `latest` to an executor's newest run. */
const linkLatest =
  (sandbox: string) =>
  async (around: DirectoryHandle): Promise<void> => {
    const made = await around.makeLink(LATEST, sandbox);
    if (made.ok || made.error.code !== 'EEXIST') return;
    await around.removeFile(LATEST);
    await around.makeLink(LATEST, sandbox);
  };
