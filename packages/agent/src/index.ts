// What the simulator and other programs use of an agent: its core. The process is `@meseta/agent/shell/main`.
export { type AgentCore, createAgent } from './core/agent.js';
export type * from './core/io.js';
export type * from './core/state.js';
