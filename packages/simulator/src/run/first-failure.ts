// Usage: node first-failure.mjs FROM TO. Prints the first seed that breaks an invariant as a line of JSON, or `null`.
// The mutation runner bundles this with a changed core.
import { planOf } from './plan.js';
import { simulate } from './simulation.js';

function firstFailure(from: number, to: number): unknown {
  for (let seed = from; seed <= to; seed++) {
    try {
      const { failure } = simulate(planOf(seed));
      if (failure !== undefined) return { seed, invariant: failure.invariant, explanation: failure.explanation };
    } catch (cause) {
      return { seed, invariant: 'the simulator itself broke', explanation: String(cause) };
    }
  }
  return null;
}

process.stdout.write(`${JSON.stringify(firstFailure(Number(process.argv[2]), Number(process.argv[3])))}\n`);
