// A lease that this process keeps alive, and the time until which it may rely on it.
//
// ETCDLEASE-1: `validUntilMonoMs` counts from the sending of the last answered renewal, not from the arrival of the answer, and
//     by four fifths of the time that etcd grants: the rest is for clocks that run at different speeds. Time that has run out
//     is not extended, and the lease ends then. No more time is relied on than was asked for, whatever etcd grants.
import { ok, type Result } from '@meseta/base';
import type { EtcdClient, EtcdError } from './client.js';
import { grantLeaseCall, keepLeaseCall, revokeLeaseCall } from './protocol.js';

export interface Lease {
  readonly id: string;
  validUntilMonoMs(): number;
  /** The reason for the log. */
  readonly ended: Promise<string>;
  /** Ends the lease here and at etcd. */
  revoke(): Promise<void>;
}

const VALID_SHARE = 4 / 5;
const RENEW_SHARE = 1 / 6;
const REVOKE_TIMEOUT_MS = 1000;

export async function holdLease(client: EtcdClient, wantedMs: number): Promise<Result<Lease, EtcdError>> {
  const sentAtMs = performance.now();
  const askedSeconds = Math.ceil(wantedMs / 1000);
  const validMs = (ttlSeconds: number): number => Math.min(ttlSeconds, askedSeconds) * 1000 * VALID_SHARE;
  const granted = await client.call(grantLeaseCall(askedSeconds));
  if (!granted.ok) return granted;
  const { id, ttlSeconds } = granted.value;
  let validUntilMs = sentAtMs + validMs(ttlSeconds);
  let isEnded = false;
  let resolveEnded: (reason: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    resolveEnded = resolve;
  });
  const end = (reason: string): void => {
    isEnded = true;
    clearTimeout(renewal);
    clearTimeout(expiry);
    resolveEnded(reason);
  };
  const checkExpiry = (): void => {
    const leftMs = validUntilMs - performance.now();
    if (leftMs <= 0) end('etcd has not answered within the time of the lease');
    else expiry = setTimeout(checkExpiry, Math.max(leftMs, 1));
  };
  const renew = async (): Promise<void> => {
    const renewalSentAtMs = performance.now();
    const kept = await client.call(keepLeaseCall(id), wantedMs / 2);
    if (isEnded) return;
    if (performance.now() >= validUntilMs) return end('etcd has not answered within the time of the lease');
    if (kept.ok && kept.value <= 0) return end('etcd has ended the lease');
    // A call may have been sent again: the first time counts.
    if (kept.ok) validUntilMs = Math.max(validUntilMs, renewalSentAtMs + validMs(kept.value));
    renewal = setTimeout(renew, wantedMs * RENEW_SHARE);
  };
  let renewal = setTimeout(renew, wantedMs * RENEW_SHARE);
  let expiry = setTimeout(checkExpiry, Math.max(validUntilMs - performance.now(), 1));
  return ok({
    id,
    validUntilMonoMs: () => (isEnded ? Number.NEGATIVE_INFINITY : validUntilMs),
    ended,
    async revoke() {
      end('revoked');
      await client.call(revokeLeaseCall(id), REVOKE_TIMEOUT_MS);
    },
  });
}
