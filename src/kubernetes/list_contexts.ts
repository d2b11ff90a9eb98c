/** Tool `list_contexts`: which clusters can be asked, by name. */
import * as z from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Clusters } from "./api.ts";
import { noteField } from "./extent.ts";

const input = z.strictObject({});

const output = z.object({
  total: z.number(),
  note: z.string().optional(),
  contexts: z.array(z.object({
    name: z.string(),
    allowed: z.boolean().describe("May be given as context"),
    default: z.boolean().optional(),
  })),
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
          ? undefined
          : "None may be used: an operator must name some in KUBE_CONTEXT.";
        const lines = part.map(({ name, allowed, default: isDefault }) =>
          `${visible(name)}${isDefault ? " (default)" : allowed ? "" : " (not allowed)"}`
        );
        const notes = [
          ...(shown < contexts.length
            ? [`${plural(contexts.length - shown, "more context")} not shown.`]
            : []),
          ...(note === undefined ? [] : [note]),
        ];
        return {
          text: [...lines, ...notes].join("\n"),
          structured: {
            total: contexts.length,
            ...noteField(...notes),
            contexts: part.map(({ name, allowed, default: isDefault }) => ({
              name,
              allowed,
              ...(isDefault ? { default: true } : {}),
            })),
          },
          rows: shown,
        };
      }, budget);
    },
  });
}
