export { planOf } from './run/plan.js';
export { renderFailure } from './run/report.js';
export { PARTS, replayCommand, type Selection, select } from './run/selection.js';
export { shrink } from './run/shrink.js';
export { type Failure, type Outcome, simulate } from './run/simulation.js';
export { runSwarm, serveSwarm } from './run/swarm.js';
export { play } from './scenario/scenario.js';
