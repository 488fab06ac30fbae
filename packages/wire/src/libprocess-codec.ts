// Encodes and decodes the messages between libprocess actors by their names on the wire. A message without set fields has
// no bytes, and its request no body.
import { err, ok, type Result } from '@meseta/base';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';
import type { LibprocessMessage, LibprocessMessageName, LibprocessMessages } from './libprocess.js';
import type { WireError } from './wire-error.js';

type Codecs = { readonly [Name in LibprocessMessageName]: Codec<LibprocessMessages[Name]> };

const CODECS: Codecs = {
  AcknowledgeOperationStatusMessage: codecs.AcknowledgeOperationStatusMessageCodec,
  AgentRegisteredMessage: codecs.AgentRegisteredMessageCodec,
  AgentReregisteredMessage: codecs.AgentReregisteredMessageCodec,
  ApplyOperationMessage: codecs.ApplyOperationMessageCodec,
  AuthenticateMessage: codecs.AuthenticateMessageCodec,
  AuthenticationCompletedMessage: codecs.AuthenticationCompletedMessageCodec,
  AuthenticationErrorMessage: codecs.AuthenticationErrorMessageCodec,
  AuthenticationFailedMessage: codecs.AuthenticationFailedMessageCodec,
  AuthenticationMechanismsMessage: codecs.AuthenticationMechanismsMessageCodec,
  AuthenticationStartMessage: codecs.AuthenticationStartMessageCodec,
  AuthenticationStepMessage: codecs.AuthenticationStepMessageCodec,
  CheckpointResourcesMessage: codecs.CheckpointResourcesMessageCodec,
  DeactivateFrameworkMessage: codecs.DeactivateFrameworkMessageCodec,
  DrainAgentMessage: codecs.DrainAgentMessageCodec,
  ExecutorRegisteredMessage: codecs.ExecutorRegisteredMessageCodec,
  ExecutorReregisteredMessage: codecs.ExecutorReregisteredMessageCodec,
  ExecutorToFrameworkMessage: codecs.ExecutorToFrameworkMessageCodec,
  ExitedExecutorMessage: codecs.ExitedExecutorMessageCodec,
  FrameworkErrorMessage: codecs.FrameworkErrorMessageCodec,
  FrameworkRegisteredMessage: codecs.FrameworkRegisteredMessageCodec,
  FrameworkReregisteredMessage: codecs.FrameworkReregisteredMessageCodec,
  FrameworkToExecutorMessage: codecs.FrameworkToExecutorMessageCodec,
  InverseOffersMessage: codecs.InverseOffersMessageCodec,
  KillTaskMessage: codecs.KillTaskMessageCodec,
  LaunchTasksMessage: codecs.LaunchTasksMessageCodec,
  LostAgentMessage: codecs.LostAgentMessageCodec,
  PingAgentMessage: codecs.PingAgentMessageCodec,
  PongAgentMessage: codecs.PongAgentMessageCodec,
  ReconcileOperationsMessage: codecs.ReconcileOperationsMessageCodec,
  ReconcileTasksMessage: codecs.ReconcileTasksMessageCodec,
  ReconnectExecutorMessage: codecs.ReconnectExecutorMessageCodec,
  RegisterAgentMessage: codecs.RegisterAgentMessageCodec,
  RegisterExecutorMessage: codecs.RegisterExecutorMessageCodec,
  RegisterFrameworkMessage: codecs.RegisterFrameworkMessageCodec,
  ReregisterAgentMessage: codecs.ReregisterAgentMessageCodec,
  ReregisterExecutorMessage: codecs.ReregisterExecutorMessageCodec,
  ReregisterFrameworkMessage: codecs.ReregisterFrameworkMessageCodec,
  RescindInverseOfferMessage: codecs.RescindInverseOfferMessageCodec,
  RescindResourceOfferMessage: codecs.RescindResourceOfferMessageCodec,
  ResourceOffersMessage: codecs.ResourceOffersMessageCodec,
  ResourceProviderCallMessage: codecs.ResourceProviderCallMessageCodec,
  ResourceProviderEventMessage: codecs.ResourceProviderEventMessageCodec,
  ResourceRequestMessage: codecs.ResourceRequestMessageCodec,
  ReviveOffersMessage: codecs.ReviveOffersMessageCodec,
  RunTaskGroupMessage: codecs.RunTaskGroupMessageCodec,
  RunTaskMessage: codecs.RunTaskMessageCodec,
  SchedulerCall: codecs.SchedulerV0CallCodec,
  ShutdownExecutorMessage: codecs.ShutdownExecutorMessageCodec,
  ShutdownFrameworkMessage: codecs.ShutdownFrameworkMessageCodec,
  ShutdownMessage: codecs.ShutdownMessageCodec,
  StatusUpdateAcknowledgementMessage: codecs.StatusUpdateAcknowledgementMessageCodec,
  StatusUpdateMessage: codecs.StatusUpdateMessageCodec,
  UnregisterAgentMessage: codecs.UnregisterAgentMessageCodec,
  UnregisterFrameworkMessage: codecs.UnregisterFrameworkMessageCodec,
  UpdateAgentMessage: codecs.UpdateAgentMessageCodec,
  UpdateFrameworkMessage: codecs.UpdateFrameworkMessageCodec,
  UpdateOperationStatusMessage: codecs.UpdateOperationStatusMessageCodec,
};

/** The call of a v0 driver is the only message of the table that is not in mesos.internal. */
const SCHEDULER_CALL = 'mesos.scheduler.Call';

/** The name in a request's path, such as `mesos.internal.RegisterSlaveMessage`. */
export function wireNameOf(name: LibprocessMessageName): string {
  return name === 'SchedulerCall' ? SCHEDULER_CALL : `mesos.internal.${name.replace('Agent', 'Slave')}`;
}

const MESSAGE_NAMES = Object.keys(CODECS) as LibprocessMessageName[];
const NAMES: ReadonlyMap<string, LibprocessMessageName> = new Map(
  MESSAGE_NAMES.map((name) => [wireNameOf(name), name]),
);
const WIRE_NAMES: ReadonlyMap<LibprocessMessageName, string> = new Map([...NAMES].map(([wire, name]) => [name, wire]));

export function encodeMessage(message: LibprocessMessage): { readonly wireName: string; readonly bytes: Uint8Array } {
  const codec = CODECS[message.name] as Codec<LibprocessMessage['body']>;
  return { wireName: WIRE_NAMES.get(message.name) as string, bytes: codec.encode(message.body) };
}

/** The error has the code `unknownMessage` if no message has this name. */
export function decodeMessage(wireName: string, bytes: Uint8Array): Result<LibprocessMessage, WireError> {
  const name = NAMES.get(wireName);
  if (name === undefined) {
    const expected = 'the name of a message between masters, agents and drivers';
    return err({ code: 'unknownMessage', message: wireName, path: '', expected, found: undefined });
  }
  const body = CODECS[name].decode(bytes);
  return body.ok ? ok({ name, body: body.value } as LibprocessMessage) : body;
}
