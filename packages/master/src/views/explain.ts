// Explains why a framework gets no offer and why a task does not run, from the allocator's reasons and the master's state.
// Reasons come in the order of precedence. Objects that the viewer may not see are treated as unknown.
import type { Reason } from '@meseta/allocator';
import type { Amounts, ExplainedReason, ExplainRequest, Explanation } from '@meseta/api';
import { type AgentId, err, type FrameworkId, type Now, ok, type Result } from '@meseta/base';
import type { Framework, MasterState } from '../core/state.js';
import type { Approver } from './approver.js';
import { explainReason } from './explain-reasons.js';
import { taskReasons } from './explain-task.js';
import { formatCount } from './explain-text.js';
import { type FoundTask, findTask } from './find-task.js';

/** Precedence: for example, a framework that has suppressed offers gets none, whatever the agents have. */
const ORDER: readonly Reason['kind'][] = [
  'unknownFramework',
  'frameworkInactive',
  'notSubscribedToRole',
  'suppressed',
  'paused',
  'noAgents',
  'unknownAgent',
];

const MAX_AGENTS_NAMED = 5;

/** Fails with the text of a 404 if a named object does not exist or the viewer may not see it. */
export function explain(
  state: MasterState,
  request: ExplainRequest,
  approver: Approver,
  now: Now,
): Result<Explanation, string> {
  const framework =
    request.framework_id === undefined ? undefined : findVisibleFramework(state, approver, request.framework_id);
  if (request.framework_id !== undefined && framework === undefined) {
    return err(`framework_id: framework ${request.framework_id} is unknown`);
  }
  const found =
    request.task_id === undefined ? undefined : findVisibleTask(state, approver, framework, request.task_id);
  if (found !== undefined) return ok(explainTask(state, found, now));
  if (framework === undefined) return err(`task_id: no framework has a task ${request.task_id}`);
  if (!state.frameworks.has(framework.id)) return ok(explainCompleted(framework));
  return ok(explainFramework(state, framework, request, approver, now));
}

function findVisibleFramework(state: MasterState, approver: Approver, id: string): Framework | undefined {
  const frameworkId = id as FrameworkId;
  const framework = state.frameworks.get(frameworkId) ?? state.completedFrameworks.get(frameworkId)?.framework;
  return framework !== undefined && approver.framework(framework) ? framework : undefined;
}

function findVisibleTask(
  state: MasterState,
  approver: Approver,
  framework: Framework | undefined,
  taskId: string,
): FoundTask | undefined {
  const completed = [...state.completedFrameworks.values()].map((record) => record.framework);
  const candidates = framework === undefined ? [...state.frameworks.values(), ...completed] : [framework];
  for (const candidate of candidates) {
    if (!approver.framework(candidate)) continue;
    const found = findTask(candidate, taskId);
    if (found !== undefined && approver.task(found.task, candidate)) return found;
  }
  return undefined;
}

function explainTask(state: MasterState, found: FoundTask, now: Now): Explanation {
  const { framework, task } = found;
  const reasons = taskReasons(state, found, now.wallMs);
  const hostname = state.agents.registered.get(task.agent_id.value as AgentId)?.info.hostname;
  return {
    answer: `Task ${task.task_id.value}: ${reasons[0]?.text ?? task.state}`,
    framework: describeFramework(state, framework),
    task: {
      id: task.task_id.value,
      state: task.state,
      agent_id: task.agent_id.value,
      ...(hostname === undefined ? {} : { hostname }),
    },
    reasons,
  };
}

const explainCompleted = (framework: Framework): Explanation => ({
  answer: `Framework ${framework.id} (${framework.info.name}) has ended.`,
  reasons: [
    {
      kind: 'framework_ended',
      text: 'The framework has ended: it was torn down, or did not resubscribe within its failover timeout.',
    },
  ],
});

function explainFramework(
  state: MasterState,
  framework: Framework,
  { agent_id: agentId, role, task_id: taskId }: ExplainRequest,
  approver: Approver,
  now: Now,
): Explanation {
  const context = { state, frameworkId: framework.id, now, approver };
  const reasons = state.allocator.explain(framework.id, agentId as AgentId | undefined, role, now.monoMs);
  const explained = sortByPrecedence(reasons).map((reason) => explainReason(context, reason));
  const all = [
    ...notLaunchedReasons(framework, taskId),
    ...openOfferReasons(state, framework, agentId, role),
    ...explained,
  ];
  return { answer: summarize(framework, taskId, all), framework: describeFramework(state, framework), reasons: all };
}

/** Reasons about the framework first, then reasons about agents, most agents first. */
function sortByPrecedence(reasons: readonly Reason[]): readonly Reason[] {
  const rank = ({ kind }: Reason): number => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  return [...reasons].sort((a, b) => rank(a) - rank(b) || (b.agents ?? 1) - (a.agents ?? 1));
}

const notLaunchedReasons = (framework: Framework, taskId: string | undefined): readonly ExplainedReason[] =>
  taskId === undefined
    ? []
    : [
        {
          kind: 'not_launched',
          text: `Framework ${framework.id} has launched no task ${taskId} that this master knows of: the master starts tasks only with an ACCEPT of an offer. What follows is about the framework's offers.`,
        },
      ];

/** The most frequent reason: the framework has offers that it has not answered. */
function openOfferReasons(
  state: MasterState,
  framework: Framework,
  agentId: string | undefined,
  role: string | undefined,
): readonly ExplainedReason[] {
  const offers = [...framework.offers].flatMap((id) => state.offers.get(id) ?? []);
  const here = offers.filter(
    (offer) => (agentId ?? offer.agentId) === offer.agentId && (role ?? offer.role) === offer.role,
  );
  if (here.length === 0) return [];
  const hosts = [...new Set(here.map((offer) => offer.offer.hostname))];
  const more = hosts.length > MAX_AGENTS_NAMED ? ` and ${hosts.length - MAX_AGENTS_NAMED} more` : '';
  const timeout = state.options.offerTimeoutMs;
  const timeoutText = timeout === undefined ? ' --offer_timeout is not set, so offers do not time out.' : '';
  return [
    {
      kind: 'offered',
      text: `It has ${formatCount(here.length, 'offer')} that it has neither accepted nor declined, of ${hosts.slice(0, MAX_AGENTS_NAMED).join(', ')}${more}.${timeoutText}`,
      figures: { offers: here.length },
    },
  ];
}

function summarize(framework: Framework, taskId: string | undefined, reasons: readonly ExplainedReason[]): string {
  const name = `${framework.info.name} (${framework.id})`;
  const [first] = reasons.filter(({ kind }) => kind !== 'not_launched');
  const task = taskId === undefined ? '' : `Task ${taskId} was never launched. `;
  if (first === undefined) return `${task}Nothing keeps offers from ${name}.`;
  if (first.kind === 'offered') return `${task}${name} is being offered resources: ${withLowerInitial(first.text)}`;
  if (first.kind === 'pending') return `${task}${name} gets an offer with the next allocation.`;
  const where = first.agents === undefined ? '' : `On ${formatCount(first.agents, 'agent')}: `;
  return `${task}${name} gets no offer. ${where}${first.text}`;
}

const withLowerInitial = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function describeFramework(state: MasterState, framework: Framework): NonNullable<Explanation['framework']> {
  const lives = state.frameworks.has(framework.id);
  const shares: Amounts = lives
    ? Object.fromEntries(framework.roles.map((role) => [role, state.allocator.shareOf(framework.id, role)]))
    : {};
  return {
    id: framework.id,
    name: framework.info.name,
    status: lives ? framework.status : 'completed',
    roles: framework.roles,
    suppressed_roles: [...framework.suppressedRoles],
    open_offers: framework.offers.size,
    shares,
  };
}
