/** A pattern of ours as one of LIKE's. */

/** `*` and `%` stand for any characters; without one, the pattern may stand anywhere in the name. */
export function likePattern(pattern: string): string {
  const literal = pattern.replace(/[\\_]/g, "\\$&");
  return /[*%]/.test(pattern) ? literal.replaceAll("*", "%") : `%${literal}%`;
}
