// Translates the messages that drivers sent before `scheduler.Call` existed into calls. Mesos' master still accepts them,
// and drivers without libmesos (in Go, Python, Erlang) send only them.
import { err, ok, type Result } from '@meseta/base';
import type { FrameworkID, LaunchTasksMessage, LibprocessMessage, SchedulerV0Call } from '@meseta/wire';

/** Returns any other message unchanged. The error is sent to the driver. */
export function callOfDriver(message: LibprocessMessage): Result<LibprocessMessage, string> {
  switch (message.name) {
    case 'RegisterFrameworkMessage': {
      const { id, ...framework_info } = message.body.framework;
      if (isSet(id))
        return err(`Field 'framework.id': expected none in a registration, got ${JSON.stringify(id.value)}`);
      return subscription({ framework_info });
    }
    case 'ReregisterFrameworkMessage': {
      const { framework, failover } = message.body;
      if (!isSet(framework.id)) return err(`Field 'framework.id': expected the framework's id in a re-registration`);
      return subscription({ framework_info: framework, force: failover }, framework.id);
    }
    default: {
      const call = callOfRegisteredDriver(message);
      return ok(call === undefined ? message : { name: 'SchedulerCall', body: call });
    }
  }
}

const isSet = (id: FrameworkID | undefined): id is FrameworkID => id !== undefined && id.value !== '';

const subscription = (
  subscribe: NonNullable<SchedulerV0Call['subscribe']>,
  framework_id?: FrameworkID,
): Result<LibprocessMessage, string> =>
  ok({
    name: 'SchedulerCall',
    body: { ...(framework_id === undefined ? {} : { framework_id }), type: 'SUBSCRIBE', subscribe },
  });

/** The call of a registered driver; undefined for a message that is no call. */
function callOfRegisteredDriver(message: LibprocessMessage): SchedulerV0Call | undefined {
  switch (message.name) {
    case 'UnregisterFrameworkMessage':
      return { framework_id: message.body.framework_id, type: 'TEARDOWN' };
    case 'ResourceRequestMessage': {
      const { framework_id, requests = [] } = message.body;
      return { framework_id, type: 'REQUEST', request: { requests } };
    }
    case 'LaunchTasksMessage':
      return launch(message.body);
    case 'ReviveOffersMessage': {
      const { framework_id, roles = [] } = message.body;
      return { framework_id, type: 'REVIVE', revive: { roles } };
    }
    case 'KillTaskMessage': {
      const { framework_id, task_id } = message.body;
      return { framework_id, type: 'KILL', kill: { task_id } };
    }
    case 'StatusUpdateAcknowledgementMessage': {
      const { framework_id, ...acknowledge } = message.body;
      return { framework_id, type: 'ACKNOWLEDGE', acknowledge };
    }
    case 'FrameworkToExecutorMessage': {
      const { framework_id, ...body } = message.body;
      return { framework_id, type: 'MESSAGE', message: body };
    }
    case 'ReconcileTasksMessage': {
      const { framework_id, statuses = [] } = message.body;
      const tasks = statuses.map(({ task_id, agent_id }) => ({ task_id, ...(agent_id && { agent_id }) }));
      return { framework_id, type: 'RECONCILE', reconcile: { tasks } };
    }
    default:
      return undefined;
  }
}

/** LaunchTasks without tasks declines the offers. */
function launch({ framework_id, tasks = [], filters, offer_ids = [] }: LaunchTasksMessage): SchedulerV0Call {
  if (tasks.length === 0) return { framework_id, type: 'DECLINE', decline: { offer_ids, filters } };
  const operations = [{ type: 'LAUNCH', launch: { task_infos: tasks } }] as const;
  return { framework_id, type: 'ACCEPT', accept: { offer_ids, operations, filters } };
}
