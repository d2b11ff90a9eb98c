/** What is too much of one message, found before it is parsed: a parser recurses, and allocates. */
import { count } from "./units.ts";

/** Levels of nesting; a tool's arguments have two or three. */
const maxDepth = 100;
/** Values and keys in one message. */
const maxItems = 20_000;

/** What is too much of a JSON text, by its brackets and commas outside strings; without recursion. */
export function excessOf(text: string): string | undefined {
  let depth = 0;
  let items = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 92) at++;
      else if (code === 34) inString = false;
    } else if (code === 34) inString = true;
    else if (code === 91 || code === 123) {
      if (++depth > maxDepth) return `The message is nested deeper than ${maxDepth} levels`;
    } else if (code === 93 || code === 125) depth--;
    else if (code === 44 && ++items > maxItems) return `The message has more than ${count(maxItems)} values`;
  }
  return undefined;
}
