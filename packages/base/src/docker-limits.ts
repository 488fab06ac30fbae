// The limits of `limits.ts` that concern the Docker engine.
import type { Limit } from './limits.js';

export const DOCKER_LIMITS = {
  dockerImage: {
    most: 512,
    unit: 'characters',
    what: 'The name of the image of a container of type DOCKER',
    beyond: 'the task fails with REASON_CONTAINER_LAUNCH_FAILED and the name of the field',
    source: 'Meseta',
  },
  dockerParameters: {
    most: 1000,
    unit: 'items',
    what: 'The parameters of a container of type DOCKER',
    beyond: 'the task fails with REASON_CONTAINER_LAUNCH_FAILED and the name of the field',
    source: 'Meseta',
  },
  engineResponse: {
    most: 4 * 2 ** 20,
    unit: 'bytes',
    what: "An answer of the Docker engine about one container or image, a line of its events, a message of a container's output",
    beyond: 'the call fails, or the connection is closed and opened again',
    source: 'Meseta',
  },
  engineList: {
    most: 64 * 2 ** 20,
    unit: 'bytes',
    what: "The Docker engine's list of the containers of an agent",
    beyond: 'the agent logs a warning and asks again',
    source: 'Meseta',
  },
} as const satisfies { readonly [name: string]: Limit };
