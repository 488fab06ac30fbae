/** The roles of a simulated cluster. */
export const ROLES = ['red', 'green', 'blue', 'red/x'] as const;
/** Only top-level roles may have quota. */
export const QUOTA_ROLES = ['red', 'green', 'blue'] as const;
