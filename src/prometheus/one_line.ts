/** Texts that others wrote, as part of a line of ours. */
import { maskSecrets } from "../common/secrets_mask.ts";
import { visible } from "../common/visible.ts";

/** The text on one line, without secrets, cut to `most` characters: it can't be taken for a line of ours. */
export function oneLine(text: string, most: number): string {
  // Cut first, so that a text of megabytes costs no more than one of a few lines.
  const start = visible(maskSecrets(text.slice(0, 4 * most).trim().replace(/\s*[\r\n]+\s*/g, " ⏎ ")));
  const cut = [...start].length > most || text.length > 4 * most;
  return cut ? `${[...start].slice(0, most).join("")}…` : start;
}

/** Labels as `a=b c="d e"`, in the order of their names; those of `without` are left out. */
export function labelsText(
  labels: Readonly<Record<string, string>>,
  without: readonly string[] = [],
): string {
  return Object.entries(labels)
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => {
      const shown = oneLine(value, 100);
      return `${oneLine(name, 60)}=${/^[\w.:/@+-]+$/.test(shown) ? shown : JSON.stringify(shown)}`;
    })
    .join(" ");
}
