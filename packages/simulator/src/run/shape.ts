import type { Shape } from '../faults/fault.js';
import type { Plan } from './plan.js';

export const shapeOf = ({ agents, frameworks, masters, faultPhaseMs }: Plan): Shape => ({
  agents: agents.size,
  frameworks: frameworks.size,
  masters,
  faultPhaseMs,
});
