/** `docs/walkthrough.md`: the workflows as they were played, and whether the page still says what is said now. */
import type { PlayedCall, Workflow } from "./workflows.ts";

/** One workflow that was played. */
export interface Played {
  readonly workflow: Workflow;
  readonly calls: readonly PlayedCall[];
}

/** Lines of an answer that the page shows. */
const longest = 45;

/** The page. */
export function walkthroughPage(played: readonly Played[]): string {
  const parts = [
    "# An incident, step by step",
    "",
    "A user-service leaks its database connections until none are left. platform-mcp answers five questions about it, in",
    "front of a real PostgreSQL, Prometheus and Kubernetes control plane. `deno task walkthrough` runs the calls again and",
    "writes this page; a test runs them, too, and compares.",
  ];
  for (const { workflow, calls } of played) {
    const sum = calls.reduce((total, { tokens }) => total + tokens, 0);
    parts.push(
      "",
      `## ${workflow.question}`,
      "",
      `${calls.length === 1 ? "One call" : `${calls.length} calls`}, ${
        sum.toLocaleString("en")
      } tokens of answers.`,
    );
    for (const call of calls) {
      const lines = call.text.split("\n");
      const shown = lines.length > longest
        ? [...lines.slice(0, longest), `… ${lines.length - longest} more lines`]
        : lines;
      parts.push("", "```", `${call.tool} ${JSON.stringify(call.arguments)}`, "", ...shown, "```");
    }
  }
  return `${parts.join("\n")}\n`;
}

/**
 * What of a page has to stay as it is: its different lines, without what changes from run to run (times, ages, names of
 * pods, rates, the state that a crash loop happens to be in).
 */
export function lasting(page: string): ReadonlySet<string> {
  // Where a paragraph breaks depends on the length of what changes.
  const lines = page.replace(/\n {3,}(?=\S)/g, " ").split("\n").map((line) =>
    line
      .replace(/user-service-[a-z0-9]+-[a-z0-9]{5}/g, "POD")
      .replace(/(order|payment)-service-[a-z0-9]+-[a-z0-9]{5}/g, "POD")
      .replace(/CrashLoopBackOff|\bError\b(?! \()|\bRunning\b/g, "STATE")
      .replace(/rollout (degraded|progressing)/, "rollout STATE")
      .replace(", while a rollout is going on", "")
      .replace(/,? ?(back-off [^,;]*restarting failed container|containers with unready status)/g, "")
      .replace(/[▁-█]+/g, "#")
      .replace(/[+-]?\d[\d.,:TZ-]*\s?(ms|min|s|m|h|d|kB|MB|bytes)?\b/g, "#")
      .replace(/(<?# ?)+/g, "#")
      .replace(/last vacuum of any of them # ?ago|none of them was ever vacuumed/, "last vacuum")
      .replace(/restarts?\b/g, "restart")
      .replace(/[-+ ]+$/, "")
      .replace(/\s+/g, " ")
      .trim()
  );
  // Rules under headings are as long as their columns, and points of a graph are all figures.
  return new Set(lines.filter((line) => /[A-Za-z]{3}/.test(line)));
}
