/** What is left of a secret. */
import { MASK } from "./redact_text.ts";

/** What is shown of a Secret's value: `*** (12 bytes)`. */
export function sizeOf(value: unknown, isBase64: boolean): string {
  if (typeof value !== "string") return MASK;
  const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
  const bytes = isBase64
    ? Math.max(0, Math.floor(value.length * 3 / 4) - padding)
    : new TextEncoder().encode(value).length;
  return `${MASK} (${bytes} bytes)`;
}

/** A value masked once stays as it is: a Secret that is redacted again keeps its sizes. */
export function mask(value: string): string {
  return value.startsWith(MASK) && value.length < 32 ? value : MASK;
}
