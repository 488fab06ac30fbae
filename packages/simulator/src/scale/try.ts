import { hold } from './hold.js';

const n = Number(process.argv[2]);
const r = hold({ seed: 1, agents: n, frameworks: Number(process.argv[3]), tasksPerAgent: 10 });
console.log(JSON.stringify({ ...r, failover: { ...r.failover, curve: r.failover.curve.length } }, undefined, 1));
