// The sender of a request, as authenticated.

export interface Principal {
  /** Undefined for a token that has only claims: of an executor or a resource provider. */
  readonly value?: string | undefined;
  /** The claims of the token, each value as text. */
  readonly claims: Readonly<Record<string, string>>;
}

const NO_CLAIMS: Principal['claims'] = {};

export const principalOf = (value: string): Principal => ({ value, claims: NO_CLAIMS });

/** The name alone if there are no claims, else all as JSON. */
export const principalText = ({ value, claims }: Principal): string =>
  value !== undefined && Object.keys(claims).length === 0 ? value : JSON.stringify({ value, claims });
