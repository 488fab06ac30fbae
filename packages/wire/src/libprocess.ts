// The messages between libprocess actors. On the wire an agent is a slave: `RegisterAgentMessage` is `mesos.internal.RegisterSlaveMessage`.
import type * as wire from '../generated/types.js';

/** Every message that a master, an agent, a v0 driver or a v0 executor sends to another. */
export interface LibprocessMessages {
  readonly AcknowledgeOperationStatusMessage: wire.AcknowledgeOperationStatusMessage;
  readonly AgentRegisteredMessage: wire.AgentRegisteredMessage;
  readonly AgentReregisteredMessage: wire.AgentReregisteredMessage;
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
  readonly ExecutorRegisteredMessage: wire.ExecutorRegisteredMessage;
  readonly ExecutorReregisteredMessage: wire.ExecutorReregisteredMessage;
  readonly ExecutorToFrameworkMessage: wire.ExecutorToFrameworkMessage;
  readonly ExitedExecutorMessage: wire.ExitedExecutorMessage;
  readonly FrameworkErrorMessage: wire.FrameworkErrorMessage;
  readonly FrameworkRegisteredMessage: wire.FrameworkRegisteredMessage;
  readonly FrameworkReregisteredMessage: wire.FrameworkReregisteredMessage;
  readonly FrameworkToExecutorMessage: wire.FrameworkToExecutorMessage;
  readonly InverseOffersMessage: wire.InverseOffersMessage;
  readonly KillTaskMessage: wire.KillTaskMessage;
  readonly LaunchTasksMessage: wire.LaunchTasksMessage;
  readonly LostAgentMessage: wire.LostAgentMessage;
  readonly PingAgentMessage: wire.PingAgentMessage;
  readonly PongAgentMessage: wire.PongAgentMessage;
  readonly ReconcileOperationsMessage: wire.ReconcileOperationsMessage;
  readonly ReconcileTasksMessage: wire.ReconcileTasksMessage;
  readonly ReconnectExecutorMessage: wire.ReconnectExecutorMessage;
  readonly RegisterAgentMessage: wire.RegisterAgentMessage;
  readonly RegisterExecutorMessage: wire.RegisterExecutorMessage;
  readonly RegisterFrameworkMessage: wire.RegisterFrameworkMessage;
  readonly ReregisterAgentMessage: wire.ReregisterAgentMessage;
  readonly ReregisterExecutorMessage: wire.ReregisterExecutorMessage;
  readonly ReregisterFrameworkMessage: wire.ReregisterFrameworkMessage;
  readonly RescindInverseOfferMessage: wire.RescindInverseOfferMessage;
  readonly RescindResourceOfferMessage: wire.RescindResourceOfferMessage;
  readonly ResourceOffersMessage: wire.ResourceOffersMessage;
  readonly ResourceProviderCallMessage: wire.ResourceProviderCallMessage;
  readonly ResourceProviderEventMessage: wire.ResourceProviderEventMessage;
  readonly ResourceRequestMessage: wire.ResourceRequestMessage;
  readonly ReviveOffersMessage: wire.ReviveOffersMessage;
  readonly RunTaskGroupMessage: wire.RunTaskGroupMessage;
  readonly RunTaskMessage: wire.RunTaskMessage;
  /** The call of a v0 driver, on the wire `mesos.scheduler.Call`: Subscribe has v0's field numbers and `force`. v1 calls are converted to it. */
  readonly SchedulerCall: wire.SchedulerV0Call;
  readonly ShutdownExecutorMessage: wire.ShutdownExecutorMessage;
  readonly ShutdownFrameworkMessage: wire.ShutdownFrameworkMessage;
  readonly ShutdownMessage: wire.ShutdownMessage;
  readonly StatusUpdateAcknowledgementMessage: wire.StatusUpdateAcknowledgementMessage;
  readonly StatusUpdateMessage: wire.StatusUpdateMessage;
  readonly UnregisterAgentMessage: wire.UnregisterAgentMessage;
  readonly UnregisterFrameworkMessage: wire.UnregisterFrameworkMessage;
  readonly UpdateAgentMessage: wire.UpdateAgentMessage;
  readonly UpdateFrameworkMessage: wire.UpdateFrameworkMessage;
  readonly UpdateOperationStatusMessage: wire.UpdateOperationStatusMessage;
}

export type LibprocessMessageName = keyof LibprocessMessages;

/** A message and its name, discriminated by `name`. */
export type LibprocessMessage = {
  [Name in LibprocessMessageName]: { readonly name: Name; readonly body: LibprocessMessages[Name] };
}[LibprocessMessageName];
