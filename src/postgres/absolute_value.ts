/** `@id`, which other databases read as a parameter, and PostgreSQL as the absolute value of a column. */
import { tokens } from "./parser.ts";

/** Where a statement that has run holds it. */
export function absoluteNote(sql: string): string | undefined {
  if (!/@[a-z_]/i.test(sql)) return undefined;
  const all = tokens(sql);
  const at = all.findIndex(({ text, end }, index) => {
    const next = all[index + 1];
    return text === "@" && next?.start === end && /^[a-z_]/i.test(next.text);
  });
  const name = all[at + 1]?.text;
  return at < 0 || name === undefined
    ? undefined
    : `@${name} is the absolute value of ${name}; a parameter is written $1, its value goes into parameters.`;
}
