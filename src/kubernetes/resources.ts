/** The cluster as an MCP resource: an overview of the default context. */
import { fit } from "../common/output.ts";
import { fixedResourceList, noSuchResource, resourceRead, type Resources } from "../common/resources.ts";
import type { Tool } from "../common/tool.ts";
import type { Clusters } from "./api.ts";
import { overviewText, readOverview } from "./overview.ts";

const overviewUri = "kubernetes://overview";
const mimeType = "text/plain";

/** The resources. */
export function kubernetesResources(clusters: Clusters): Resources {
  return {
    templates: [],
    list: fixedResourceList([
      { uri: overviewUri, name: "overview", title: "The cluster at a glance", mimeType },
    ]),
    read: readOne(clusters),
  };
}

function readOne(clusters: Clusters): Tool {
  return resourceRead({
    async run({ uri }, { signal }) {
      if (uri !== overviewUri) {
        throw noSuchResource(uri, `the resource is ${overviewUri}; describe_resource reads objects`);
      }
      return await readOverview(clusters.cluster(undefined), signal);
    },
    present: (overview, budget) => ({
      text: fit(overviewText(overview), budget, "The get_ tools say more, by namespace."),
      structured: { uri: overviewUri, mimeType },
      rows: 1,
    }),
  });
}
