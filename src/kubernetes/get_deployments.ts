/** Tool `get_deployments`: how far each rollout is, and what holds it up. */
import * as z from "zod";
import { compare } from "../common/compare.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { table } from "../common/table.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, KubeObject } from "./api.ts";
import {
  compositionLines,
  type Deployment,
  deploymentAnswer,
  deploymentShape,
  leavesPodsOut,
} from "./deployment_text.ts";
import { textField } from "./fields.ts";
import { cutNotice, extentAnswer, extentShape, heading } from "./extent.ts";
import { refuseMissing } from "./find_pods.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { namedObjects } from "./named_object.ts";
import { readComposition } from "./replica_sets.ts";
import { isSick, readRollout, type Rollout, rolloutVerdicts } from "./rollout.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, selectorInput } from "./scope.ts";
import { deploymentType } from "./well_known.ts";

/** Deployments read for one answer, so that the sick ones can be shown first. */
const maxDeployments = 500;
/** Sick deployments whose replica sets and pods are looked at. */
const maxExamined = 10;

const input = z.strictObject({
  ...scopeInput,
  name: z.string().max(253).optional().describe("Only this deployment, with its replica sets"),
  label_selector: selectorInput.label_selector,
  limit: z.int().min(1).max(maxDeployments).default(50),
});

const output = z.object({
  ...scopeShape,
  ...extentShape,
  deployments: z.array(deploymentShape).describe("Those in trouble first"),
});

/** How to see the others, where a list was cut. */
const less = "Narrow it with namespace, name or label_selector, or raise limit.";

interface Found {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly deployments: readonly Deployment[];
  readonly limit: number;
  readonly more: number | "unknown";
  readonly note: string | undefined;
  readonly now: number;
}

/** Lists deployments. */
export function getDeployments(clusters: Clusters): Tool {
  return defineTool({
    name: "get_deployments",
    title: "Deployments",
    description:
      "Ready, updated and available pods, images, the rollout's verdict (complete, progressing, stalled, " +
      "degraded, paused); for those in trouble the replica sets and the pods that hold them up, with reasons.",
    input,
    output,
    async run({ name, label_selector: labelSelector, limit, ...args }, { signal }): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args);
      const { items, more } = name === undefined
        ? await cluster.listAll(deploymentType, namespace, {
          signal,
          maxItems: maxDeployments,
          labelSelector,
        })
        : { items: await namedObjects(cluster, deploymentType, namespace, name, { signal }), more: 0 };
      const note = items.length === 0
        ? await refuseMissing(cluster, namespace, "deployments", signal)
        : undefined;
      const examined = name === undefined ? Math.min(maxExamined, limit) : "all";
      const deployments = await judge(cluster, items, examined, signal);
      return { context: cluster.context, namespace, deployments, limit, more, note, now: Date.now() };
    },
    present,
  });
}

/** What the tool says of one deployment that has been read. */
export async function tellDeployment(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): Promise<(budget: number) => string> {
  const found: Found = {
    context: cluster.context,
    namespace: textField(object, "metadata", "namespace"),
    deployments: await judge(cluster, [object], "all", signal),
    limit: 1,
    more: 0,
    note: undefined,
    now: Date.now(),
  };
  return (budget) => present(found, budget).text;
}

/** Those in trouble first, and of the first `examined` of them what they are made of. */
async function judge(
  cluster: Cluster,
  items: readonly KubeObject[],
  examined: number | "all",
  signal: AbortSignal,
): Promise<readonly Deployment[]> {
  const judged = items.map((object) => ({ object, rollout: readRollout(object) }))
    .sort((a, b) => order(a.rollout, b.rollout));
  return await Promise.all(judged.map(async ({ object, rollout }, at) => {
    const examine = examined === "all" || (at < examined && isSick(rollout));
    return { rollout, composition: examine ? await readComposition(cluster, object, signal) : undefined };
  }));
}

function present(found: Found, budget: number): Presentation<z.output<typeof output>> {
  return largestThatFits(Math.min(found.limit, found.deployments.length), (shown) => {
    return { text: render(found, shown), structured: structuredOf(found, shown), rows: shown };
  }, budget);
}

function structuredOf(found: Found, shown: number): z.output<typeof output> {
  const { namespace, now } = found;
  const all = { read: found.deployments.length, more: found.more };
  const deployments = found.deployments.slice(0, shown);
  return {
    ...scopeAnswer(found),
    ...extentAnswer(
      shown,
      all,
      less,
      found,
      deployments.some(leavesPodsOut)
        ? "held_up_by has some of the unhealthy pods; get_pods lists all."
        : undefined,
    ),
    deployments: deployments.map((one) =>
      deploymentAnswer(one, now, { namespaced: namespace === undefined })
    ),
  };
}

function order(a: Rollout, b: Rollout): number {
  const severity = (one: Rollout) =>
    isSick(one) ? rolloutVerdicts.indexOf(one.verdict) : rolloutVerdicts.length;
  return severity(a) - severity(b) || compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function render(found: Found, shown: number): string {
  const { now, namespace } = found;
  const all = { read: found.deployments.length, more: found.more };
  const deployments = found.deployments.slice(0, shown);
  const title = ({ rollout }: Deployment) =>
    namespace === undefined ? `${rollout.namespace}/${rollout.name}` : rollout.name;
  const lines = [heading(shown, all, ["deployment", "deployments"], found)];
  if (found.note !== undefined) lines.push(visible(found.note));
  for (const deployment of deployments) {
    const { rollout, composition } = deployment;
    if (!isSick(rollout) && composition === undefined) continue;
    lines.push("", visible(`${title(deployment)}: ${rollout.verdict.toUpperCase()}, ${rollout.explanation}`));
    lines.push(...compositionLines(deployment, now).map((line) => `- ${line}`));
  }
  if (deployments.length > 0) {
    lines.push(
      "",
      table(
        [
          { name: "NAME" },
          { name: "READY", align: "right" },
          { name: "UP-TO-DATE" },
          { name: "AVAILABLE" },
          { name: "ROLLOUT" },
          { name: "AGE" },
          { name: "IMAGES" },
        ],
        deployments.map((deployment) => {
          const { rollout } = deployment;
          return [
            title(deployment),
            `${rollout.ready}/${rollout.desired}`,
            rollout.updated,
            rollout.available,
            rollout.verdict,
            kubernetesAge(rollout.created, now),
            rollout.images.join(", "),
          ];
        }),
        { nullText: "-", quotes: false },
      ),
    );
  }
  const notice = cutNotice(shown, all, less);
  if (notice !== undefined) lines.push("", notice);
  return lines.join("\n");
}
