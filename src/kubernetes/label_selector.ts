/** Label selectors as the apiserver's `labelSelector` parameter takes them. */
import { listField, textEntries, textField } from "./fields.ts";

/** A service's selector, or the `matchLabels` of a controller: `app=web,tier=front`. */
export function equalitySelector(labels: readonly (readonly [key: string, value: string])[]): string {
  return labels.map(([key, value]) => `${key}=${value}`).join(",");
}

/**
 * A LabelSelector (meta/v1) as text; undefined for one that selects nothing (an empty selector of a controller would
 * select everything, and none of the workloads may have one) or has an operator that is not known.
 */
export function selectorText(selector: unknown): string | undefined {
  const parts = textEntries(selector, "matchLabels").map(([key, value]) => `${key}=${value}`);
  for (const expression of listField(selector, "matchExpressions")) {
    const key = textField(expression, "key") ?? "";
    const values = listField(expression, "values").filter((value) => typeof value === "string").join(",");
    switch (textField(expression, "operator")) {
      case "In":
        parts.push(`${key} in (${values})`);
        break;
      case "NotIn":
        parts.push(`${key} notin (${values})`);
        break;
      case "Exists":
        parts.push(key);
        break;
      case "DoesNotExist":
        parts.push(`!${key}`);
        break;
      default:
        // Without a condition that is not understood more would be selected than was meant.
        return undefined;
    }
  }
  return parts.length === 0 ? undefined : parts.join(",");
}
