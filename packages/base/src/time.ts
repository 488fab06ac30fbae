/**
 * Both clocks, read once for a step. Deadlines are computed from `monoMs`, which never
 * goes back; timestamps that people and peers see come from `wallMs`.
 */
export interface Now {
  readonly monoMs: number;
  /** Milliseconds since the epoch, with a fraction. */
  readonly wallMs: number;
}
