/** What to write for an operator that PostgreSQL does not have for these types. */
import { tokens } from "./parser.ts";
import { parameters } from "./unparsed_dialects.ts";

const textTypes = new Set(["text", "character varying", "character", "unknown"]);
const dates = /^(?:date|timestamp with(?:out)? time zone)$/;

/** For `operator does not exist: text + unknown`. `rest`: the statement from the operator on. */
export function operatorHint(message: string, sql: string, rest: string): string | undefined {
  // PostgreSQL's absolute value, written as nobody writes it.
  if (
    /^operator does not exist: (?:\S.* )?(?:[<>!]?=|<>|>)?@ /.test(message) && /^[<>!=]*@[a-z_]/i.test(rest)
  ) {
    return parameters;
  }
  const [, left = "", operator = "", right = ""] =
    /^operator does not exist: (.+?) ([-+*/<>=~!@#%^&|`?]+) (.+)$/.exec(message) ?? [];
  if (operator === "+" && textTypes.has(left) && textTypes.has(right)) return "text is joined with ||";
  const compares = /^(?:[<>]=?|=|<>)$/.test(operator);
  if (compares && [[left, right], [right, left]].some(([a = "", b]) => dates.test(a) && b === "integer")) {
    return hasBareDate(sql) ? "a date goes in single quotes: '2026-01-31'" : undefined;
  }
  if (left === "boolean" && right === "integer" && /^(?:=|<>|!=)\s*[01](?![\w.])/.test(rest)) {
    return "a boolean is compared with true or false, not with 1 or 0";
  }
  if (/^~~\*?$/.test(operator) && left.endsWith("[]")) return "an array is searched with 'x' = ANY(array)";
  return undefined;
}

/** Whether `2026-01-31` stands outside of a text: a subtraction. */
function hasBareDate(sql: string): boolean {
  const texts = tokens(sql).map(({ text }) => text);
  return texts.some((text, at) =>
    /^(?:19|20)\d\d$/.test(text) && /^-\d\d?-\d\d?$/.test(texts.slice(at + 1, at + 5).join(""))
  );
}
