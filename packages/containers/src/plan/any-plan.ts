// The plans of both launchers as one type, for what does not depend on the launcher.
import type { DockerPlan } from '../launchers/docker/docker-plan.js';
import type { LaunchPlan } from './plan.js';

/** A plan of the launcher that `composing.ts` has chosen for its container. */
export type AnyPlan = LaunchPlan | DockerPlan;

export const isDockerPlan = (plan: AnyPlan): plan is DockerPlan => 'kind' in plan && plan.kind === 'docker';
