// The v1 operator calls of both masters and agents.
export const commonCalls = {
  GET_FLAGS: { access: 'reads', response: 'get_flags', action: 'VIEW_FLAGS', summary: 'The flags in force.' },
  GET_VERSION: { access: 'reads', response: 'get_version', summary: 'The version and the build.' },
  GET_METRICS: { access: 'reads', request: 'get_metrics', response: 'get_metrics', summary: 'The metrics.' },
  GET_LOGGING_LEVEL: { access: 'reads', response: 'get_logging_level', summary: 'The verbosity of the log.' },
  SET_LOGGING_LEVEL: {
    access: 'changes',
    request: 'set_logging_level',
    action: 'SET_LOG_LEVEL',
    summary: 'Sets the verbosity of the log for a duration.',
  },
  GET_STATE: { access: 'reads', response: 'get_state', summary: 'The complete state.' },
  GET_EXECUTORS: { access: 'reads', response: 'get_executors', action: 'VIEW_EXECUTOR', summary: 'The executors.' },
  GET_OPERATIONS: { access: 'reads', response: 'get_operations', summary: 'The offer operations.' },
  GET_TASKS: { access: 'reads', response: 'get_tasks', action: 'VIEW_TASK', summary: 'The tasks.' },
} as const;
