/** The answer to a call: a text and its structured form, and what may be done to both. */
import type { AuditRecord } from "./audit.ts";
import { fit } from "./output.ts";
import { visible } from "./visible.ts";

/** The answer to one call, as `tools/call` returns it. */
export interface Answer {
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>> | undefined;
  /** What kind of error it is, if it is one. */
  readonly kind?: Exclude<AuditRecord["outcome"], "ok">;
}

/** An answer that is an error. */
export function errorAnswer(kind: Exclude<AuditRecord["outcome"], "ok">, text: string): Answer {
  // On one line: a text of the backend must not look like a note of ours.
  return { text: visible(text), structured: undefined, kind };
}

/** The last resort: a tool keeps to the budget by itself, and says better what was left out. */
export function fitAnswer(answer: Answer, maxBytes: number): Answer {
  const text = fit(answer.text, maxBytes);
  return text === answer.text ? answer : { ...answer, text };
}

/** Adds a sentence below the text and to the structured `notices`. */
export function addNotice(answer: Answer, notice: string): Answer {
  const before = answer.structured?.notices;
  return {
    ...answer,
    text: `${answer.text}\n\n${notice}`,
    structured: { ...answer.structured, notices: [...(Array.isArray(before) ? before : []), notice] },
  };
}

/** Makes what is hidden in a backend's strings visible; the keys are a tool's own. */
export function visibleStrings<Value extends Readonly<Record<string, unknown>>>(value: Value): Value {
  const walk = (item: unknown): unknown => {
    if (typeof item === "string") return visible(item, { keepLines: true });
    if (Array.isArray(item)) return item.map(walk);
    if (item === null || typeof item !== "object") return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, walk(inner)]));
  };
  // The walk changes strings only, so the shape stays what the tool's schema says.
  return walk(value) as Value;
}
