/** Why a tool can't be called with some arguments. */
import type { z } from "zod";
import type { Tool } from "./tool.ts";
import { visible } from "./visible.ts";

/** What is wrong with the arguments, in a sentence a model can act on. */
export function explainIssues(tool: Tool, error: z.ZodError): string {
  const issues = error.issues.slice(0, 5).map((issue) => {
    if (issue.code === "unrecognized_keys") {
      const known = Object.keys(tool.input.shape);
      const keys = issue.keys.slice(0, 5).map((key) => JSON.stringify(visible(key.slice(0, 64)))).join(", ");
      return `unknown argument ${keys}; the arguments are ${known.join(", ") || "none"}`;
    }
    const path = issue.path.map(String).join(".");
    return `${path === "" ? "arguments" : path}: ${issue.message}`;
  });
  return visible(`Cannot call ${tool.name} with these arguments: ${issues.join("; ")}`);
}
