/** Listings of series, names and values: asked for with matchers and a limit, and kept to that. */
import type { AskOptions } from "./connection.ts";
import type { TimeRange, Told } from "./result.ts";

/** The form of a listing. */
export function matching(
  matchers: readonly string[],
  { start, end }: TimeRange,
  { limit }: AskOptions,
): URLSearchParams {
  const form = new URLSearchParams();
  for (const matcher of matchers) form.append("match[]", matcher);
  if (start !== undefined) form.set("start", String(start));
  if (end !== undefined) form.set("end", String(end));
  if (limit !== undefined) form.set("limit", String(limit));
  return form;
}

/** Keeps to the limit where the backend did not, and says whether there was more. */
export function cut<T>(
  all: readonly T[],
  { warnings }: Told,
  { limit }: AskOptions,
): { readonly kept: readonly T[]; readonly truncated: boolean } {
  if (limit !== undefined && all.length > limit) return { kept: all.slice(0, limit), truncated: true };
  // Prometheus's words; it counts before it cuts, so that exactly as many as the limit are not called truncated.
  return { kept: all, truncated: warnings.some((warning) => warning.includes("truncated due to limit")) };
}
