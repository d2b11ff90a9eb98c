/** Why something was not read. */
import type { CallError } from "../common/errors.ts";

/** An error's sentence, with what to do about it. */
export function sentenceOf({ message, hint }: CallError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** For what a report can do without, in few words: `no right to list nodes`; the error's own sentence where it is no refusal. */
export function unseenText({ kind, message }: CallError, verb: "get" | "list", resource: string): string {
  return kind === "refused" ? `no right to ${verb} ${resource}` : message;
}
