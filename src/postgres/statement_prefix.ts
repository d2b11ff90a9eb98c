/** What may be shown of the text of other sessions' statements: a beginning, without what could be a secret. */
import { maskSecrets } from "../common/secrets_mask.ts";
import { visible } from "../common/visible.ts";

/** Statements that speak of passwords or keys, or take them as arguments (pgcrypto, dblink): nothing of them is shown. */
const SPEAKS_OF_SECRETS =
  /passw|passphrase|identified\s+by|credential|\b(?:crypt|hmac|dblink\w*|pgp_\w+|encrypt\w*|decrypt\w*)\s*\(/i;

/** What pg_stat_activity and pg_stat_statements show to a role that may not see a text. */
export const HIDDEN_TEXT = "<insufficient privilege>";

/**
 * The first `characters` of a statement on one line, secrets masked, hidden characters spelt out; `unseen` for a text
 * that the role may not see, and `(not shown: it speaks of a password)` for one that nobody should.
 */
export function statementPrefix(text: string | null | undefined, characters: number): string {
  if (text === null || text === undefined || text === HIDDEN_TEXT) return "unseen";
  if (SPEAKS_OF_SECRETS.test(text)) return "(not shown: it mentions a password or a key)";
  // The options of an EXPLAIN, as explain_query writes them, would leave no room for what was explained.
  const line = maskSecrets(text).trim().replace(/\s+/g, " ").replace(/^explain \([^()]*\)/i, "EXPLAIN");
  if (line === "") return "(none)";
  const start = [...line.slice(0, 2 * (characters + 1))];
  return visible(start.length > characters ? `${start.slice(0, characters).join("").trimEnd()}…` : line);
}
