// Mutations of the cores: each is a mistake that a developer could make, and some seed must find it.
// `find` occurs exactly once in its file; a test checks this, so a mutation is updated with the code.

const agent = (file) => `packages/agent/src/core/${file}.ts`;
const master = (file) => `packages/master/src/core/${file}.ts`;
const allocator = (file) => `packages/allocator/src/${file}.ts`;

export const mutations = [
  {
    name: 'A write of a deposed leader is made',
    file: 'packages/simulator/src/engine/registry-store.ts',
    find: '    if (append.epoch < newestReadEpoch) return false;\n',
    replace: '',
  },
  {
    name: 'The agent skips an acknowledgement: the next update is not sent',
    file: agent('status-updates'),
    find: '  if (next.updates.length > 0) sendHead(ctx, framework, next);\n',
    replace: '',
  },
  {
    name: 'An acknowledged update stays first in its stream',
    file: agent('status-updates'),
    find: 'updates: stream.updates.slice(1),\n    firstNumber: stream.firstNumber + 1,\n    durableCount: stream.durableCount - 1,',
    replace: 'updates: stream.updates,\n    firstNumber: stream.firstNumber,\n    durableCount: stream.durableCount,',
  },
  {
    name: 'The acknowledgement of a terminal update leaves the stream open',
    file: agent('status-updates'),
    find: '    forgetUpdates(ctx, framework, stream, stream.updates.length);\n    framework.streams.delete(taskId);',
    replace: '    forgetUpdates(ctx, framework, stream, stream.updates.length);',
  },
  {
    name: 'An update is sent before it is on disk',
    file: agent('status-updates'),
    find: "if (checkpoints(framework)) afterCommit(ctx, { kind: 'forward', frameworkId: framework.id, taskId });\n  else forward",
    replace: 'forward',
  },
  {
    name: 'A restarted agent forgets which updates were not acknowledged',
    file: agent('recovery'),
    find: '      if (first === undefined) return;',
    replace: '      if (first === undefined || first !== undefined) return;',
  },
  {
    name: 'A task that exits with another status than 0 has finished',
    file: agent('command-executor'),
    find: "if (status.kind === 'exited' && status.code === 0) return { state: 'TASK_FINISHED', message };",
    replace: "if (status.kind === 'exited') return { state: 'TASK_FINISHED', message };",
  },
  {
    name: 'An agent that comes back does not list its tasks',
    file: agent('registration'),
    find: '      ...(tasks.length === 0 ? {} : { tasks }),\n',
    replace: '',
  },
  {
    name: 'An agent does not notice that its connection to the master broke, nor that pings stop',
    file: agent('registration'),
    find: "  log(ctx, 'warning', 'registering again: the pings of the master have stopped');\n  startRegistration(ctx);",
    replace: "  log(ctx, 'warning', 'the pings of the master have stopped');",
  },
  {
    name: 'A declined offer is not freed',
    file: master('offers'),
    find: '  state.allocator.recoverResources(offer.frameworkId, offer.agentId, offer.bundle, now.monoMs, returned);\n',
    replace: '  void [now, returned];\n',
  },
  {
    name: 'A task frees its resources at every terminal update',
    file: master('tasks'),
    find: 'if (!isTerminal(task.state) && isTerminal(state)) {',
    replace: 'if (isTerminal(state)) {',
  },
  {
    name: "A call's stream id is ignored",
    file: master('scheduler-calls'),
    find: 'if (streamId !== framework.connection.id) {',
    replace: "if (streamId === '') {",
  },
  {
    name: 'A framework that disconnects keeps its offers',
    file: master('frameworks/disconnect'),
    find: "  returnOffers(ctx, framework, framework.connection === undefined ? 'silently' : 'rescinded');\n",
    replace: '  void returnOffers;\n',
  },
  {
    name: 'Acknowledgements are not passed on to the agent',
    file: master('status-updates'),
    find: '  sendAcknowledgement(ctx, framework, agent, { task_id, uuid });\n',
    replace: '',
  },
  {
    name: 'An update is forwarded twice',
    file: master('events'),
    find: "  if (framework.connection.kind === 'stream') sendEvent(ctx, framework, event);",
    replace:
      "  if (framework.connection.kind === 'stream') for (let i = 0; i < 2; i++) sendEvent(ctx, framework, event);",
  },
  {
    name: 'An agent is unreachable after its second unanswered ping',
    file: master('agents/ping'),
    find: '>= options.maxAgentPingTimeouts',
    replace: '>= Math.min(2, options.maxAgentPingTimeouts)',
  },
  {
    name: 'An agent that is gone may come back',
    file: master('agents/admission'),
    find: 'if (id !== undefined && agents.gone.has(id)) {',
    replace: 'if (id !== undefined && agents.gone.has(id) && id.length === 0) {',
  },
  {
    name: 'What waits for the registry is done before it is written',
    file: master('registrar'),
    find: '  afterCommit(ctx, work);\n  return ok(undefined);',
    replace: '  commits.ready.push({ work, cause: ctx.cause });\n  return ok(undefined);',
  },
  {
    name: 'The work that waited for the registry is lost',
    file: master('registrar'),
    find: "present(completeBatch(commits), 'the batch that was written')",
    replace: '(completeBatch({ ...commits, ready: [] }) ?? [])',
  },
  {
    name: 'Kills for an agent that is away are forgotten',
    file: master('agents/reconnect'),
    find: '    if (!killed || isTerminal(state)) continue;\n',
    replace: '    if (!killed || !isTerminal(state)) continue;\n',
  },
  {
    name: 'An agent re-registers with its previous resource version: late launches are accepted',
    file: agent('registration'),
    find: '    state.resourceVersion = randomUuidBytes(state.random);\n',
    replace: '  void randomUuidBytes;\n',
  },
  {
    name: 'An outdated UpdateAgentMessage does not request a re-registration',
    file: master('agents/update'),
    find: '  if (isOutdated) requestReregistration(ctx, changed);\n',
    replace: '  void [isOutdated, requestReregistration];\n',
  },
  {
    name: 'An update that is resent after its acknowledgement is forwarded again',
    file: master('status-updates'),
    find: 'wasAcknowledged(framework, taskId, update.uuid)',
    replace: 'wasAcknowledged(framework, taskId, update.uuid) && framework.id === undefined',
  },
  {
    name: 'Tasks that return from unreachable are not reported',
    file: master('agents/reregister'),
    find: '  if (!wasExpected) sendReturnedUpdates(ctx, returned);\n',
    replace: '  void [wasExpected, sendReturnedUpdates];\n',
  },
  {
    name: "A reconnecting agent is not asked about the tasks that it didn't list",
    file: master('agents/reconnect'),
    find: '      ...(reconciliations.length === 0 ? {} : { reconciliations }),\n',
    replace: '',
  },
  {
    name: 'A reservation is offered to every role',
    file: allocator('shapes'),
    find: '  if (!isAllocatableTo(resource, role)) return false;\n',
    replace: '',
  },
  {
    name: "A role's limit is ignored",
    file: allocator('evaluate'),
    find: '    if (room >= wanted) continue;',
    replace: '    if (room >= wanted || wanted > 0) continue;',
  },
  {
    name: "Others' guarantees are not held back",
    file: allocator('evaluate'),
    find: 'const headroom = Math.max(0, surplusOf(state, at)) + unmetGuarantee(topLevelOf(client.role), at);',
    replace:
      'const headroom = wanted + Math.max(0, surplusOf(state, at)) + unmetGuarantee(topLevelOf(client.role), at);',
  },
  {
    name: "An executor's update is forwarded each time that it is received",
    file: agent('executor-calls'),
    find: '  const isNew = !repeated && !hasEnded;\n',
    replace: '  const isNew = !hasEnded;\n',
  },
  {
    name: "An executor's update is acknowledged before it is on disk",
    file: agent('executor-calls'),
    find: "  whenDurable(ctx, framework, { kind: 'acknowledgeExecutor', containerId: executor.containerId, taskId, uuid });\n",
    replace:
      "  whenDurable(ctx, { info: {} }, { kind: 'acknowledgeExecutor', containerId: executor.containerId, taskId, uuid });\n",
  },
  {
    name: 'The updates in a SUBSCRIBE of an executor are ignored',
    file: agent('executor-calls'),
    find: '  for (const status of unacknowledged.updates) executorUpdate(ctx, framework, running, status);\n',
    replace: '',
  },
  {
    name: 'The end of an executor is not the end of its tasks',
    file: agent('custom-executor'),
    find: '    enqueueTaskStatus(ctx, framework, executor, record.info.task_id.value as TaskId, fields);\n',
    replace: '    void fields;\n',
  },
  {
    name: 'A task of a pod that fails ends no other',
    file: agent('run-end'),
    find: "  if (framework.tasks.get(taskId)?.task.state !== 'TASK_FINISHED') endGroup(ctx, framework, podTask);\n",
    replace: '  void endGroup;\n',
  },
  {
    name: 'A framework on HTTP is treated as a driver',
    file: agent('launch'),
    find: "pid === undefined || pid === '' ? framework.pid : driverOf(pid)",
    replace: "pid === undefined || pid === '' ? framework.pid : (driverOf(pid) ?? pid)",
  },
  {
    name: 'The end of an executor is not counted',
    file: master('agents/executor-exit'),
    find: '  if (!removeExecutor(ctx, framework, agent, idOf<ExecutorId>(executor_id))) {\n',
    replace: '  if (!(removeExecutor && idOf<ExecutorId>(executor_id))) {\n',
  },
  {
    name: 'Reconciliation answers for agents that may yet come back',
    file: master('task-reconcile'),
    find: '  if (agentId === undefined ? agents.recovered.size > 0 : agents.recovered.has(agentId)) return;\n',
    replace: '',
  },
  {
    name: 'An operation is reported before it is on disk',
    file: agent('operations'),
    find: '  if (state.unsavedOperations.has(uuid)) return;\n',
    replace: '',
  },
  {
    name: "An operation's acknowledgement is ignored",
    file: agent('operations'),
    find: '  ctx.state.operations.delete(uuid);\n',
    replace: '',
  },
  {
    name: 'Sandboxes of containers that still run after a restart age',
    file: agent('sandboxes'),
    find: '  for (const containerId of runs.keys()) sandboxes.delete(containerId);\n',
    replace: '',
  },
  {
    name: 'Sandboxes of containers that are only being destroyed after a restart age',
    file: agent('sandboxes'),
    find: '  if (orphanContainers.size > 0) return;\n',
    replace: '',
  },
  {
    name: "Of a task's updates the first hundred are kept, not the last",
    file: agent('executor-calls'),
    find: 'return [...kept.slice(-(MAX_RECEIVED + LIMITS.waitingUpdates.most - 1)), uuid];',
    replace: 'return [...received, uuid].slice(0, MAX_RECEIVED);',
  },
  {
    name: 'Of the updates that an executor lists, only the last hundred are remembered',
    file: agent('executor-calls'),
    find: ' || listed?.has(known) === true',
    replace: '',
  },
  {
    name: 'The registry forgets one lost agent too many',
    file: master('agents/recovery'),
    find: 'i < excess ||',
    replace: 'i <= excess ||',
  },
  {
    name: 'The limit on how fast agents are removed is not kept',
    file: master('agents/unreachable'),
    find: ' + limit.perMs / limit.permits;',
    replace: ' + 0 * limit.perMs;',
  },
  {
    name: 'An operator is answered before weights are written',
    file: master('operator/weights'),
    find: '  const roles = weights.map(({ role }) => role);\n',
    replace: '  const roles = weights.map(({ role }) => role);\n  reply(ctx, request, 200);\n',
  },
  {
    name: 'Quota is not passed to the allocator',
    file: master('operator/quota'),
    find: '    ctx.state.allocator.updateQuota(config.role, quotaOf(config));\n',
    replace: '',
  },
  {
    name: 'Offer filters are ignored',
    file: allocator('evaluate'),
    find: '  if (isRefused(state.filters, agent.index, client.index, shape.bundle)) return undefined;\n',
    replace: '  void isRefused;\n',
  },
  {
    name: 'A bucket of filters that is full does not grow',
    file: allocator('filters'),
    find: 'if (kept * 4 <= pairs.length) return;',
    replace: 'if (kept * 2 <= pairs.length) return;',
  },
  {
    name: 'A framework that suppressed a role receives offers for it',
    file: allocator('clients'),
    find: 'framework.roles.has(name) && !framework.suppressed.has(name)',
    replace: 'framework.roles.has(name)',
  },
  {
    name: 'An agent in its cooldown is offered',
    file: allocator('run'),
    find: 'isOfferable(agent) && !state.cooldownUntilMs.has(agent);',
    replace: 'isOfferable(agent);',
  },
  {
    name: 'A role whose name begins like another is below it',
    file: 'packages/resources/src/roles.ts',
    find: 'role.length > ancestor.length && role.charCodeAt(ancestor.length) === 47 && role.startsWith(ancestor);',
    replace: 'role.length > ancestor.length && role.startsWith(ancestor);',
  },
];
