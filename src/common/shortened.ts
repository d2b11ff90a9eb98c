/** The first `most` characters of a text, with an ellipsis where there are more. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text;
}
