import type { Shape } from '../faults/fault.js';
import type { Plan } from './plan.js';

export const shapeOf = ({ agents, frameworks, masters, stormMs }: Plan): Shape => ({
  agents: agents.size,
  frameworks: frameworks.size,
  masters,
  stormMs,
});
