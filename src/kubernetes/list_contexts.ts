/** Tool `list_contexts`: which clusters can be asked, by name. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Clusters } from "./api.ts";

const input = z.strictObject({});

const output = z.object({
  contexts: z.array(z.object({
    name: z.string(),
    allowed: z.boolean().describe("May be given as context"),
    default: z.boolean(),
  })),
  total: z.number(),
  note: z.string().nullable(),
});

/** Makes the tool; names alone, no addresses and no users. */
export function listContexts(clusters: Clusters): Tool {
  return defineTool({
    name: "list_contexts",
    title: "Contexts",
    description:
      "Names of the kubeconfig's contexts: which may be used as context, and which is the default.",
    input,
    output,
    run: () => Promise.resolve(clusters.contexts()),
    present(contexts, budget) {
      return largestThatFits(contexts.length, (shown) => {
        const part = contexts.slice(0, shown);
        const note = contexts.length === 0
          ? "The kubeconfig has no contexts, or there is none."
          : contexts.some(({ allowed }) => allowed)
          ? null
          : "None may be used: an operator must name some in KUBE_CONTEXT.";
        const lines = part.map(({ name, allowed, default: isDefault }) =>
          `${visible(name)}${isDefault ? " (default)" : allowed ? "" : " (not allowed)"}`
        );
        if (shown < contexts.length) {
          lines.push(`${plural(contexts.length - shown, "more context")} not shown.`);
        }
        if (note !== null) lines.push(note);
        return {
          text: lines.join("\n"),
          structured: { contexts: part.map((context) => ({ ...context })), total: contexts.length, note },
          rows: shown,
        };
      }, budget);
    },
  });
}
