/** SQL that a person is to paste. */
import { visible } from "../common/visible.ts";

/**
 * The statements with whatever can't be seen in a quoted name as an escape, `U&"a\\000ab"` (the manual's 4.1.2.4): a line
 * break in a name would end a comment and make a statement of the rest, and a terminal would do as it is told.
 */
export function pastedSql(lines: readonly string[]): string {
  return lines.map((line) => line.replace(/"(?:[^"]|"")*"/g, spelt)).join("\n");
}

function spelt(name: string): string {
  if ([...name].every((character) => visible(character) === character)) return name;
  const characters = [...name].map((character) => {
    if (character === "\\") return "\\\\";
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return visible(character) === character ? character : `\\+${code.padStart(6, "0")}`;
  });
  return `U&${characters.join("")}`;
}
