// Who makes a request, as authentication found out.

export interface Principal {
  /** Undefined for a token that names only claims: an executor's, a resource provider's. */
  readonly value?: string | undefined;
  /** What a token says of its bearer, every value as text. */
  readonly claims: Readonly<Record<string, string>>;
}

const NO_CLAIMS: Principal['claims'] = {};

export const principalOf = (value: string): Principal => ({ value, claims: NO_CLAIMS });

/** For people and logs: the name alone, or the claims as JSON. */
export const principalText = ({ value, claims }: Principal): string =>
  value !== undefined && Object.keys(claims).length === 0 ? value : JSON.stringify({ value, claims });
