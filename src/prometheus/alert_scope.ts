/** Whether an alert that names a service is about it: an aggregation may have left no label that tells its namespace. */
import { type Asking, beside } from "./asking.ts";
import { type Matcher, selector } from "./promql_literal.ts";
import type { Labels } from "./result.ts";
import type { Service } from "./service.ts";
import { namespaceLabels } from "./service_labels.ts";
import { namedBy } from "./service_name.ts";

/** `unknown`: the service is one of a namespace, and the alert names none. */
export type Scope = "own" | "other" | "unknown";

/** Operators by which what is of one namespace may say something of what is of another: `… unless on () maintenance{namespace="ops"}`. */
const joining = /\b(?:and|or|unless|on|ignoring)\b/i;

/** What an alert with these labels, of a rule with that expression, is about. */
export function scopeOf(service: Service, labels: Labels, expression: string): Scope {
  const namespace = namespaceOf(service);
  const others = namedBy(service).others.filter((matcher) => matcher !== namespace);
  // One that lost another label may be about any value of it.
  const meets = others.every(([label, operator, value]) =>
    operator !== "=" || labels[label] === undefined || labels[label] === value
  );
  if (!meets) return "other";
  if (namespace === undefined) return "own";
  const labelled = namespaceLabels.flatMap((label) => labels[label] || []);
  if (labelled.length > 0) return labelled.includes(namespace[2]) ? "own" : "other";
  const named = namespacesIn(expression);
  const isOwn = (name: string) => name === namespace[2];
  if (named.length === 0 || joining.test(expression) && !named.every(isOwn)) return "unknown";
  return named.some(isOwn) ? "own" : "other";
}

/** Whether other namespaces have a service of that name; also where that can't be asked. */
export async function isElsewhere(asking: Asking, service: Service): Promise<boolean> {
  const namespace = namespaceOf(service);
  if (namespace === undefined) return false;
  const [label, , value] = namespace;
  const others = selector(undefined, [...namingMatchers(service), [label, "!=", value], [label, "!=", ""]]);
  const found = await beside(asking, "which namespace an alert is of", async ({ api, time, signal }) => {
    const { series } = await api.query(`count(${others})`, time, { signal });
    return series.length > 0;
  });
  return found ?? true;
}

/** A service's matchers but for that of its namespace. */
export function namingMatchers(service: Service): readonly Matcher[] {
  const namespace = namespaceOf(service);
  return service.matchers.filter((matcher) => matcher !== namespace);
}

function namespaceOf({ matchers }: Service): Matcher | undefined {
  return matchers.find(([label, operator]) =>
    operator === "=" && namespaceLabels.some((one) => one === label)
  );
}

/** Those that an expression picks by `namespace="shop"` or `namespace=~"shop|lab"`. */
function namespacesIn(expression: string): readonly string[] {
  const picking = new RegExp(`\\b(?:${namespaceLabels.join("|")})\\s*=~?\\s*(["'\`])([\\w|-]+)\\1`, "g");
  return [...expression.matchAll(picking)].flatMap(([, , names = ""]) => names.split("|"));
}
