/**
 * The mark of our own queries, by which top_queries tells them from what the database is there for. It stands behind
 * the first word: what pg_stat_statements keeps of a text may begin at that word.
 */

const mark = "/* postgres-mcp */";

/**
 * The query with the mark. What others run as well is not to be marked, as the server counts it together with theirs:
 * `select pg_backend_pid()`, and all that does not begin with SELECT or WITH (`begin`, `discard all`).
 */
export function marked(sql: string): string {
  return sql.replace(/^\s*(?:select|with)\b/, `$& ${mark}`);
}

/** A regular expression of PostgreSQL's for a text that has the mark; without a quote or a backslash in it. */
export const markPattern = `^[[:space:]]*(select|with) ${mark.replaceAll("*", "[*]")}`;
