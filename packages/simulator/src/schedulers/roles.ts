/** The roles of a simulated cluster. */
export const ROLES = ['red', 'green', 'blue', 'red/x'] as const;
/** Quota is a top-level role's. */
export const QUOTA_ROLES = ['red', 'green', 'blue'] as const;
