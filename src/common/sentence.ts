/** With a capital, but for the name of a tool, which is called as it is written. */
export function sentence(text: string): string {
  return /^[a-z]+_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** With a full stop, unless it ends a sentence already. */
export function ended(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}
