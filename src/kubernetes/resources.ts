/** The cluster as an MCP resource: an overview of the default context. */
import { CallError } from "../common/errors.ts";
import { fit } from "../common/output.ts";
import {
  completeInput,
  completions,
  listedResources,
  listInput,
  readInput,
  readResource,
  type Resources,
} from "../common/resources.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { visible } from "../common/visible.ts";
import type { Clusters } from "./api.ts";
import { overviewText, readOverview } from "./overview.ts";

const overviewUri = "kubernetes://overview";
const mimeType = "text/plain";

/** The resources. */
export function kubernetesResources(clusters: Clusters): Resources {
  return { templates: [], list: listResources(), read: readOne(clusters), complete: complete() };
}

function listResources(): Tool {
  return defineTool({
    name: "resources/list",
    title: "List resources",
    description: "",
    input: listInput,
    output: listedResources,
    run: ({ cursor }) => {
      if (cursor !== undefined) {
        throw new CallError("invalid", "Cannot go on from this cursor as it is not ours");
      }
      return Promise.resolve([
        { uri: overviewUri, name: "overview", title: "The cluster at a glance", mimeType },
      ]);
    },
    present: (resources) => ({ text: "", structured: { resources }, rows: resources.length }),
  });
}

function readOne(clusters: Clusters): Tool {
  return defineTool({
    name: "resources/read",
    title: "Read a resource",
    description: "",
    input: readInput,
    output: readResource,
    async run({ uri }, { signal }) {
      if (uri !== overviewUri) {
        const shown = JSON.stringify(visible(uri.slice(0, 200)));
        throw new CallError("not_found", `There is no resource ${shown}`, {
          hint: `the resource is ${overviewUri}; describe_resource reads objects`,
        });
      }
      return await readOverview(clusters.cluster(undefined), signal);
    },
    present: (overview, budget): Presentation<{ uri: string; mimeType: string }> => ({
      text: fit(overviewText(overview), budget, "The get_ tools say more, by namespace."),
      structured: { uri: overviewUri, mimeType },
      rows: 1,
    }),
  });
}

/** Nothing has a variable to be completed. */
function complete(): Tool {
  return defineTool({
    name: "completion/complete",
    title: "Complete a name",
    description: "",
    input: completeInput,
    output: completions,
    run: () => Promise.resolve({ values: [], total: 0, hasMore: false }),
    present: (structured) => ({ text: "0", structured, rows: 0 }),
  });
}
