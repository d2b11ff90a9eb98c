/** What most objects have in common: conditions, an owner, a deletion that waits. */
import type { KubeObject } from "./api.ts";
import { listField, textField, timeField } from "./fields.ts";

/** A condition (meta/v1 Condition, and the older forms). `since` is milliseconds since 1970. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly since: number | undefined;
}

/** The object's conditions, what is not True first: most are good when they are. */
export function readConditions(object: KubeObject): readonly Condition[] {
  return listField(object, "status", "conditions").map(conditionOf).sort(worstFirst);
}

function conditionOf(condition: unknown): Condition {
  return {
    type: textField(condition, "type") ?? "",
    status: textField(condition, "status") ?? "",
    reason: textField(condition, "reason"),
    message: textField(condition, "message"),
    since: timeField(condition, "lastTransitionTime") ?? timeField(condition, "lastUpdateTime"),
  };
}

function worstFirst(a: Condition, b: Condition): number {
  return Number(a.status === "True") - Number(b.status === "True");
}

/** Who controls it, and since when it is being deleted, as clauses. */
export function factsOf(object: KubeObject): readonly string[] {
  const facts: string[] = [];
  const owner = listField(object, "metadata", "ownerReferences")[0];
  if (owner !== undefined) {
    facts.push(`controlled by ${textField(owner, "kind") ?? "?"}/${textField(owner, "name") ?? "?"}`);
  }
  const deleted = timeField(object, "metadata", "deletionTimestamp");
  if (deleted !== undefined) {
    const finalizers = listField(object, "metadata", "finalizers").join(", ");
    facts.push(
      `being deleted since ${new Date(deleted).toISOString()}${
        finalizers === "" ? "" : `, held by the finalizers ${finalizers}`
      }`,
    );
  }
  return facts;
}
