// Why an interface of Mesos is not supported, or not in full: patterns of `section name`, of which the first match counts.

export const reasons: readonly (readonly [pattern: RegExp, why: string])[] = [
  // Endpoints
  [/^endpoint .* \/api\/v1\/resource_provider/, 'answers 501: resource providers (CSI) are not supported yet'],
  // Calls and events
  [
    /^agent call (?:ADD|UPDATE|REMOVE)_RESOURCE_PROVIDER_CONFIG$/,
    'needs resource providers (CSI), which are not there yet',
  ],
  [/^agent call MARK_RESOURCE_PROVIDER_GONE$/, 'needs resource providers (CSI), which are not there yet'],
  [/^agent call /, 'answers 501: not there yet'],
  [/^resource provider /, 'resource providers (CSI) are not supported yet'],
  [/^scheduler response /, 'not there yet'],
  // Flags
  [
    /^flag master (?:hooks|modules|modules_dir|master_contender|master_detector|allocator)$/,
    'modules are C++ libraries: nothing to load here',
  ],
  [
    /^flag agent (?:hooks|modules_dir|master_detector|disk_profile_adaptor|secret_resolver)$/,
    'modules are C++ libraries: nothing to load here',
  ],
  [
    /^flag \w+ (?:logbufsecs|initialize_driver_logging)$/,
    'the log is not buffered, and drivers are no part of this process',
  ],
  [/^flag \w+ memory_profiling$/, "jemalloc's; Node's inspector and heap snapshots serve here"],
  [/^flag master (?:quorum|log_auto_initialize)$/, 'of the replicated log, in whose place a master has its own store'],
  [/^flag master registry_(?:fetch|store)_timeout$/, 'the store is local and answers or ends the process'],
  [/^flag master max_executors_per_agent$/, "only in Mesos' builds with its network isolator"],
  [/^flag master registry_strict$/, 'removed in Mesos: always strict'],
  [
    /^flag agent (?:appc_|egress_|ingress_|eth0_name|lo_name|ephemeral_ports|maximum_|minimum_|network_enable_|network_link_speed|network_rate_)/,
    "of an isolator that is not there (Appc, Linux' traffic control)",
  ],
  [/^flag agent systemd_/, 'containers outlive the agent without systemd'],
  [/^flag agent (?:csi_|resource_provider)/, 'resource providers (CSI) are not supported yet'],
  [/^flag agent xfs_/, 'no project quotas are set: disk/du measures and limits'],
  [/^flag agent hadoop_home$/, 'the fetcher has no Hadoop client'],
  [/^flag agent perf_/, 'perf counters are not measured'],
  [/^flag agent domain_socket_location$|^flag agent http_executor_domain_sockets$/, 'executors connect by TCP'],
  [/^flag agent ip6/, 'IPv4 only as yet'],
  [/^flag /, 'taken, with a warning: no effect yet'],
  // Metrics
  [
    /^metric master\/task_<state>/,
    'done: a counter each, named `master/task_failed/source_slave/reason_...` as in Mesos, from the first such task on',
  ],
  [/^metric volume_gid_manager\//, 'no volume gids are managed'],
  [/^metric resource_providers\//, 'resource providers (CSI) are not supported yet'],
  [/^metric containerizer\/mesos\/disk\/project_ids/, 'not measured yet'],
  [/^metric (?:RESERVE|UNRESERVE|CREATE|DESTROY|CREATE_DISK|DESTROY_DISK)$/, 'a name of an operation, not a metric'],
];
