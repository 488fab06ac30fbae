// Everything takes and gives lists in the post-refinement format unless its name says otherwise;
// nothing changes its arguments. Lists that come from outside go through `admitResources` first.

export { fromThousandths } from '@meseta/wire/scalars';
export * from './algebra.js';
export * from './bundle.js';
export * from './format.js';
export * from './formats.js';
export * from './kinds.js';
export * from './lists.js';
export * from './offer-order.js';
export * from './operation-resources.js';
export * from './operations.js';
export * from './parse.js';
export * from './quantities.js';
export * from './role-tree.js';
export * from './roles.js';
export * from './shrink.js';
export * from './summary.js';
export * from './validate.js';
