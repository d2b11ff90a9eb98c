/** The answer to a call: a text and its structured form, and what may be done to both. */
import type { AuditRecord } from "./audit.ts";
import { fit } from "./output.ts";
import { shortened } from "./shortened.ts";
import { utf8Length } from "./utf8.ts";
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

/** Characters that are left of each string where the structured form is too large, tried in this order. */
const stringLengths = [1_000, 200, 40];

/** The last resort: a tool keeps to the budget by itself, and says better what was left out. */
export function fitAnswer(answer: Answer, maxBytes: number): Answer {
  const text = fit(answer.text, maxBytes);
  let { structured } = answer;
  for (const longest of stringLengths) {
    if (structured === undefined || utf8Length(JSON.stringify(structured)) <= maxBytes) break;
    structured = mapStrings(structured, (item) => shortened(item, longest));
  }
  return text === answer.text && structured === answer.structured ? answer : { ...answer, text, structured };
}

/** Adds a sentence below the text and to the structured `notices`. */
export function addNotice(answer: Answer, notice: string): Answer {
  const { notices: before, ...others } = answer.structured ?? {};
  return {
    ...answer,
    text: `${answer.text}\n\n${notice}`,
    // First: some clients show a model this form alone, and it may be long.
    structured: { notices: [...(Array.isArray(before) ? before : []), notice], ...others },
  };
}

/** Makes what is hidden in a backend's strings visible; the keys are a tool's own. */
export function visibleStrings<Value extends Readonly<Record<string, unknown>>>(value: Value): Value {
  return mapStrings(value, (text, isKey) => isKey ? text : visible(text, { keepLines: true }));
}

/** A copy with other strings: the shape stays what the tool's schema says. */
function mapStrings<Value extends Readonly<Record<string, unknown>>>(
  value: Value,
  map: (text: string, isKey: boolean) => string,
): Value {
  const walk = (item: unknown): unknown => {
    if (typeof item === "string") return map(item, false);
    if (Array.isArray(item)) return item.map(walk);
    if (item === null || typeof item !== "object") return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [map(key, true), walk(inner)]));
  };
  return walk(value) as Value;
}
