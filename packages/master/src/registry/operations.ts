// The registry's operations: what a master writes before it says it. One file an operation beside this one.
import type { AgentInfo } from '@meseta/wire';

export type RegistryOperation = { readonly kind: 'admitAgent'; readonly info: AgentInfo };
