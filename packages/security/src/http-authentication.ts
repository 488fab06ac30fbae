// Authentication of HTTP requests for each realm, with the authenticators that the flags name (Mesos: docs/authentication.md;
// RFC 7617 for Basic, RFC 6750 for Bearer). Several authenticators of a realm are tried in order; a failure returns the
// challenges of all.
import { type Component, type Realm, type Refusal, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import type { Secrets } from './credentials.js';
import { readToken } from './jwt.js';
import { type Principal, principalOf } from './principal.js';
import { sameSecret } from './secrets.js';

export type NamedRealm = Exclude<Realm, 'none'>;

/** The principal is undefined in a realm without authentication. */
export type Authenticated = Result<Principal | undefined, Refusal>;

export interface HttpAuthentication {
  /** Whether the realm has authentication. */
  guards(realm: Realm): boolean;
  /** `authorization` is the header of that name. `nowMs`: milliseconds since the epoch, for the expiry of tokens. */
  authenticate(realm: Realm, authorization: string | undefined, nowMs: number): Authenticated;
}

export interface HttpAuthenticationOptions {
  readonly component: Component;
  /** The authenticators of each realm, as lists from flags (`basic,jwt`). */
  readonly realms: { readonly [R in NamedRealm]?: string | undefined };
  readonly secrets?: Secrets | undefined;
  readonly jwtKey?: Uint8Array | undefined;
}

interface HttpAuthenticator {
  /** The principal that the header proves, or the challenge for `WWW-Authenticate`. */
  principal(authorization: string | undefined, nowMs: number): Result<Principal, string>;
}

/** Mesos' name of a realm, which a browser shows its user. */
export const realmName = (component: Component, realm: NamedRealm): string => `mesos-${component}-${realm}`;

function basic(realm: string, secrets: Secrets): HttpAuthenticator {
  const challenge = err(`Basic realm="${realm}"`);
  return {
    principal(authorization) {
      const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '') ?? [];
      if (encoded === undefined) return challenge;
      const pair = Buffer.from(encoded, 'base64').toString('utf8');
      const colon = pair.indexOf(':');
      const name = pair.slice(0, Math.max(colon, 0));
      const secret = secrets.get(name);
      // Known and unknown names take the same time.
      const isSame = sameSecret(pair.slice(colon + 1), secret ?? '');
      return colon > 0 && secret !== undefined && isSame ? ok(principalOf(name)) : challenge;
    },
  };
}

function jwt(realm: string, key: Uint8Array): HttpAuthenticator {
  const challenge = (description: string) =>
    err(`Bearer realm="${realm}", error="invalid_token", error_description="${description}"`);
  return {
    principal(authorization, nowMs) {
      if (authorization === undefined) return err(`Bearer realm="${realm}"`);
      const [scheme, token, more] = authorization.split(' ');
      if (token === undefined || more !== undefined) return challenge("Malformed 'Authorization' header");
      if (scheme?.toLowerCase() !== 'bearer') return challenge('expected the scheme Bearer');
      const claims = readToken(token, key, nowMs);
      if (!claims.ok) return challenge(`Invalid JWT: ${claims.error.replaceAll('"', "'")}`);
      const texts = Object.entries(claims.value).map(([name, claim]): [string, string] => [
        name,
        typeof claim === 'string' ? claim : JSON.stringify(claim),
      ]);
      return texts.length === 0 ? challenge('JWT claims missing') : ok({ claims: Object.fromEntries(texts) });
    },
  };
}

function authenticatorsOf(
  realm: string,
  names: string,
  { secrets, jwtKey }: HttpAuthenticationOptions,
): Result<readonly HttpAuthenticator[], string> {
  const authenticators: HttpAuthenticator[] = [];
  for (const name of names.split(',').map((text) => text.trim())) {
    if (name === 'basic') {
      if (secrets === undefined) return err(`basic authentication of ${realm} needs a file of credentials`);
      authenticators.push(basic(realm, secrets));
    } else if (name === 'jwt') {
      if (jwtKey === undefined) return err(`jwt authentication of ${realm} needs --jwt_secret_key`);
      authenticators.push(jwt(realm, jwtKey));
    } else return err(`expected basic or jwt, got ${JSON.stringify(name)}`);
  }
  return ok(authenticators);
}

/** The error, for the operator, names the realm or the unknown authenticator; the caller adds the name of the flag. */
export function createHttpAuthentication(options: HttpAuthenticationOptions): Result<HttpAuthentication, string> {
  const realms = new Map<Realm, readonly HttpAuthenticator[]>();
  for (const [realm, names] of Object.entries(options.realms) as [NamedRealm, string | undefined][]) {
    if (names === undefined) continue;
    const made = authenticatorsOf(realmName(options.component, realm), names, options);
    if (!made.ok) return made;
    realms.set(realm, made.value);
  }
  return ok({
    guards: (realm) => realms.has(realm),
    authenticate(realm, authorization, nowMs) {
      const authenticators = realms.get(realm);
      if (authenticators === undefined) return ok(undefined);
      const challenges: string[] = [];
      for (const authenticator of authenticators) {
        const found = authenticator.principal(authorization, nowMs);
        if (found.ok) return found;
        challenges.push(found.error);
      }
      return err(refusal('unauthorized', 'This needs authentication', { 'WWW-Authenticate': challenges.join(',') }));
    },
  });
}
