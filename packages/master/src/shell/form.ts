// The form bodies of v0 endpoints (application/x-www-form-urlencoded).
import { err, LIMITS, ok, type Result } from '@meseta/base';

const MAX_FIELDS = LIMITS.formFields.most;

/** The fields of a form; an error if there are too many. They are counted before they are parsed. */
export function parseForm(body: string): Result<URLSearchParams, string> {
  let fields = 1;
  for (let at = body.indexOf('&'); at >= 0; at = body.indexOf('&', at + 1)) {
    if (++fields > MAX_FIELDS) return err(`Body: expected a form of at most ${MAX_FIELDS} fields, found more`);
  }
  return ok(new URLSearchParams(body));
}
