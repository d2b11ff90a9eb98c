/** How VictoriaMetrics words its objections to a query: one type for all of them, and the query in each. */

/** Its `errorType`, which is the status. */
export const victoriaType = "422";

/** Its error without the query, which the caller knows, and the times in milliseconds. */
export function withoutQuery(error: string): string {
  return error.replace(
    /^error when executing query="(?:[^"\\]|\\.)*" (?:for|on the time range) \([^)]*\): /s,
    "",
  );
}

/** Whether the query is none, rather than too much. */
export function isMistake(error: string): boolean {
  return /unparsed data|unsupported function|cannot (?:recognize|find|parse|expand WITH)|unexpected (?:token|number of args)|missing `/
    .test(error);
}

/** The part of the query that it could not read any more; undefined where it does not say. */
export function unparsed(error: string): string | undefined {
  const [, quoted] = /unparsed data(?: left)?: ("(?:[^"\\]|\\.)*")/s.exec(error) ?? [];
  if (quoted === undefined) return undefined;
  try {
    return String(JSON.parse(quoted));
  } catch {
    // Go escapes more than JSON does.
    return undefined;
  }
}
