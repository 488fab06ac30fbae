export { type Plan, planOf } from './run/plan.js';
export { type Failure, type Outcome, simulate } from './run/simulation.js';
