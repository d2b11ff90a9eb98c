/** By which name what is told beside a service's own series is looked up. */
import type { Matcher } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { serviceLabels } from "./service_labels.ts";

/** The name that alerts, probes and a mesh's calls are looked up by, and what else is asked of the alerts that are found. */
export function namedBy(
  { matchers, name }: Service,
): { readonly name: string; readonly others: readonly Matcher[] } {
  const naming = matchers.find(([label]) => serviceLabels.some((one) => one === label)) ?? matchers[0];
  return {
    name: naming?.[1] === "=" ? naming[2] : name,
    others: matchers.filter((matcher) => matcher !== naming),
  };
}
