/** Label selectors as the apiserver's `labelSelector` parameter takes them. */
import { field, listField, textEntries, textField } from "./fields.ts";

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

/** Whether a LabelSelector (meta/v1) selects what has these labels: an empty one does, one that is not there or not understood does not. */
export function selects(selector: unknown, labels: unknown): boolean {
  if (typeof selector !== "object" || selector === null) return false;
  return textEntries(selector, "matchLabels").every(([key, value]) => field(labels, key) === value) &&
    listField(selector, "matchExpressions").every((expression) => {
      const value = field(labels, textField(expression, "key") ?? "");
      const isListed = listField(expression, "values").includes(value);
      switch (textField(expression, "operator")) {
        case "In":
          return isListed;
        case "NotIn":
          return !isListed;
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          return false;
      }
    });
}
