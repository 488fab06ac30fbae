// What a viewer may see of the master's state.
import type { ExecutorInfo, Resource, Task } from '@meseta/wire';
import type { Framework } from '../core/state.js';

/** Decides what a viewer may see. Approvers with equal keys decide equally. */
export interface Approver {
  readonly key: string;
  framework(framework: Framework): boolean;
  task(task: Task, framework: Framework): boolean;
  executor(info: ExecutorInfo, framework: Framework): boolean;
  role(role: string): boolean;
  quota(role: string): boolean;
  readonly flags: boolean;
  readonly maintenanceSchedule: boolean;
  readonly maintenanceStatus: boolean;
}

/** Whether each role that a resource is reserved for or allocated to may be seen. */
export const seesResource = (
  approver: Approver,
  { role, reservations = [], allocation_info: info }: Resource,
): boolean =>
  (role === undefined || role === '*' || approver.role(role)) &&
  reservations.every((reservation) => approver.role(reservation.role ?? '*')) &&
  (info?.role === undefined || approver.role(info.role));

export const approveAll: Approver = {
  key: '*',
  framework: () => true,
  task: () => true,
  executor: () => true,
  role: () => true,
  quota: () => true,
  flags: true,
  maintenanceSchedule: true,
  maintenanceStatus: true,
};
