// The messages that travel between libprocess actors, by our names for them.
// On the wire an agent is a slave: `RegisterAgentMessage` is `mesos.internal.RegisterSlaveMessage`.
import type * as wire from '../generated/types.js';

/** Every message that a master, an agent or a v0 driver sends to another. */
export interface LibprocessMessages {
  readonly AcknowledgeOperationStatusMessage: wire.AcknowledgeOperationStatusMessage;
  readonly ApplyOperationMessage: wire.ApplyOperationMessage;
  readonly AuthenticateMessage: wire.AuthenticateMessage;
  readonly AuthenticationCompletedMessage: wire.AuthenticationCompletedMessage;
  readonly AuthenticationErrorMessage: wire.AuthenticationErrorMessage;
  readonly AuthenticationFailedMessage: wire.AuthenticationFailedMessage;
  readonly AuthenticationMechanismsMessage: wire.AuthenticationMechanismsMessage;
  readonly AuthenticationStartMessage: wire.AuthenticationStartMessage;
  readonly AuthenticationStepMessage: wire.AuthenticationStepMessage;
  readonly CheckpointResourcesMessage: wire.CheckpointResourcesMessage;
  readonly DeactivateFrameworkMessage: wire.DeactivateFrameworkMessage;
  readonly DrainAgentMessage: wire.DrainAgentMessage;
  readonly ExecutorToFrameworkMessage: wire.ExecutorToFrameworkMessage;
  readonly ExitedExecutorMessage: wire.ExitedExecutorMessage;
  readonly FrameworkErrorMessage: wire.FrameworkErrorMessage;
  readonly FrameworkRegisteredMessage: wire.FrameworkRegisteredMessage;
  readonly FrameworkReregisteredMessage: wire.FrameworkReregisteredMessage;
  readonly FrameworkToExecutorMessage: wire.FrameworkToExecutorMessage;
  readonly InverseOffersMessage: wire.InverseOffersMessage;
  readonly KillTaskMessage: wire.KillTaskMessage;
  readonly LostAgentMessage: wire.LostAgentMessage;
  readonly PingAgentMessage: wire.PingAgentMessage;
  readonly PongAgentMessage: wire.PongAgentMessage;
  readonly ReconcileOperationsMessage: wire.ReconcileOperationsMessage;
  readonly RegisterAgentMessage: wire.RegisterAgentMessage;
  readonly ReregisterAgentMessage: wire.ReregisterAgentMessage;
  readonly RescindInverseOfferMessage: wire.RescindInverseOfferMessage;
  readonly RescindResourceOfferMessage: wire.RescindResourceOfferMessage;
  readonly ResourceOffersMessage: wire.ResourceOffersMessage;
  readonly RunTaskGroupMessage: wire.RunTaskGroupMessage;
  readonly RunTaskMessage: wire.RunTaskMessage;
  /** A v0 driver's call; on the wire `mesos.scheduler.Call`, whose Subscribe has v0's numbers. */
  readonly SchedulerCall: wire.SchedulerCall;
  readonly ShutdownExecutorMessage: wire.ShutdownExecutorMessage;
  readonly ShutdownFrameworkMessage: wire.ShutdownFrameworkMessage;
  readonly ShutdownMessage: wire.ShutdownMessage;
  readonly AgentRegisteredMessage: wire.AgentRegisteredMessage;
  readonly AgentReregisteredMessage: wire.AgentReregisteredMessage;
  readonly StatusUpdateAcknowledgementMessage: wire.StatusUpdateAcknowledgementMessage;
  readonly StatusUpdateMessage: wire.StatusUpdateMessage;
  readonly UnregisterAgentMessage: wire.UnregisterAgentMessage;
  readonly UpdateFrameworkMessage: wire.UpdateFrameworkMessage;
  readonly UpdateOperationStatusMessage: wire.UpdateOperationStatusMessage;
  readonly UpdateAgentMessage: wire.UpdateAgentMessage;
}

export type LibprocessMessageName = keyof LibprocessMessages;

/** A message and its name, discriminated by `name`. */
export type LibprocessMessage = {
  [Name in LibprocessMessageName]: { readonly name: Name; readonly body: LibprocessMessages[Name] };
}[LibprocessMessageName];
