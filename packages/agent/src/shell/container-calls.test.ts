import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createLocalAuthorizer, type Principal, principalOf } from '@meseta/security';
import type { ACLs, AgentCall } from '@meseta/wire';
import type { AgentInput, ConnectionId } from '../core/io.js';
import { registeredWorld, runToRunning, taskOf } from '../core/testing.js';
import { createAttachments } from './attachments.js';
import {
  type CallReply,
  type ContainerCallOptions,
  createContainerCalls,
  findDenial,
  serveContainerCall,
} from './container-calls.js';

const container_id = { value: 'dbg', parent: { value: 'p' } };
const ACCEPTED: CallReply = { kind: 'callReply', connection: 'call 0' as ConnectionId, status: 200, text: '' };

test('CONTAINER-CALLS-1: a WAIT call is forgotten when its client disconnects, not when it is answered', async () => {
  const inputs: AgentInput[] = [];
  const calls = createContainerCalls((input) => inputs.push(input));
  const wait: AgentCall = { type: 'WAIT_CONTAINER', wait_container: { container_id } };
  const clients = [1, 2].map(() => new ServerResponse(new IncomingMessage(new Socket())));
  const replies = clients.map((client) => calls.askWhileConnected(wait, client));
  calls.reply(ACCEPTED);
  for (const client of clients) client.emit('close');
  assert.deepEqual(await Promise.all(replies), [ACCEPTED, undefined]);
  assert.deepEqual(inputs.slice(2), [{ kind: 'containerCallClosed', connection: 'call 1', id: container_id }]);
  const [closed] = clients;
  closed?.destroy();
  assert.equal(closed && (await calls.askWhileConnected(wait, closed)), undefined);
});

test('a nested launch is authorized for the user that its command will run as, named or inherited', async () => {
  const world = registeredWorld({ switchUser: true });
  const nobody = runToRunning(world, taskOf('n', { command: { value: 'sleep 60', user: 'nobody' } }));
  const root = runToRunning(world, taskOf('r', { command: { value: 'sleep 60', user: 'root' } }));
  const anybody = { principals: { type: 'ANY' }, users: { type: 'ANY' } } as const;
  const acls: ACLs = {
    permissive: false,
    launch_nested_containers_under_parent_with_user: [anybody],
    launch_nested_containers_as_user: [{ principals: { type: 'ANY' }, users: { values: ['nobody'] } }],
  };
  const options: ContainerCallOptions = {
    files: createFiles(),
    core: world.core,
    gate: { authorizer: createLocalAuthorizer(acls) },
    containerCalls: { ask: async () => ACCEPTED, askWhileConnected: async () => ACCEPTED },
    attachments: createAttachments(),
    heartbeatMs: 30_000,
  };
  const statusOf = async (parent: string, user?: string): Promise<number> => {
    const command = { value: 'true', ...(user === undefined ? {} : { user }) };
    const launch = { container_id: { value: 'c', parent: { value: parent } }, command };
    const call: AgentCall = { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: launch };
    const request = new IncomingMessage(new Socket());
    request.headers.accept = 'application/json';
    const response = new ServerResponse(request);
    await serveContainerCall(options, { request, response, principal: principalOf('x') }, call);
    return response.statusCode;
  };
  assert.equal(await statusOf(nobody), 200);
  assert.equal(await statusOf(nobody, 'nobody'), 200);
  assert.equal(await statusOf(nobody, 'root'), 403);
  assert.equal(await statusOf(root), 403);
  assert.equal(await statusOf(root, 'nobody'), 200);
});

test('attaching is authorized for the user of the executor, and a token reads its own containers only', () => {
  const world = registeredWorld({ switchUser: true });
  const nobody = runToRunning(world, taskOf('n', { command: { value: 'sleep 60', user: 'nobody' } }));
  const root = runToRunning(world, taskOf('r', { command: { value: 'sleep 60', user: 'root' } }));
  const ofNobody = [{ principals: { values: ['ops'] }, users: { values: ['nobody'] } }] as const;
  const acls: ACLs = {
    permissive: false,
    attach_containers_input: [...ofNobody],
    attach_containers_output: [...ofNobody],
  };
  const gate = { authorizer: createLocalAuthorizer(acls) };
  const ops = principalOf('ops');
  const token = { claims: { cid: root, fid: 'f', eid: 'e' } };
  const cases: readonly (readonly [who: Principal, parent: string, input: boolean, output: boolean])[] = [
    [ops, nobody, true, true],
    [ops, root, false, false],
    [principalOf('other'), nobody, false, false],
    [token, root, false, true],
    [token, nobody, false, false],
    // Answered with 404: nothing is known of it.
    [principalOf('other'), 'unknown', true, true],
  ];
  for (const [who, value, input, output] of cases) {
    const id = { value: 'c', parent: { value } };
    const attachInput: AgentCall = {
      type: 'ATTACH_CONTAINER_INPUT',
      attach_container_input: { type: 'CONTAINER_ID', container_id: id },
    };
    const attachOutput: AgentCall = { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id: id } };
    const may = [attachInput, attachOutput].map(
      (call) => findDenial({ core: world.core, gate }, who, call) === undefined,
    );
    assert.deepEqual(may, [input, output], `${JSON.stringify(who)} ${value}`);
  }
});
