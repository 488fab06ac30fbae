// Resources as values. Functions take and return lists in the post-refinement format unless their name says otherwise, and
// change no argument. A list from outside has to pass `admitResources` first.

export { fromThousandths } from '@meseta/wire/scalars';
export * from './algebra.js';
export * from './bundle.js';
export * from './format.js';
export * from './kinds.js';
export * from './lists.js';
export * from './offer-order.js';
export * from './operation-resources.js';
export * from './operations.js';
export * from './parse.js';
export * from './quantities.js';
export * from './reservation-formats.js';
export * from './role-tree.js';
export * from './roles.js';
export * from './shrink.js';
export * from './summary.js';
export * from './validate.js';
