/** Tool `get_pod_logs`: the end of what containers have logged, and new lines while they come. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import type { Cluster, Clusters } from "./api.ts";
import { findPods, type FoundPods, podsBySelector, podsOfDeployment } from "./find_pods.ts";
import { textField } from "./fields.ts";
import { logSources, otherContainers } from "./log_sources.ts";
import { type FoundLogs, logAnswer, logOutput, logText } from "./log_text.ts";
import { readLogs } from "./pod_logs.ts";
import { contextInput, namespaceInput, resolveScope } from "./scope.ts";

/** Pods, and containers of them, that one call reads. */
const maxPods = 10;
const maxSources = 20;

const input = z.strictObject({
  pod_name: z.string().min(1).max(253).optional().describe(
    "Or its start; or selector, or deployment",
  ),
  selector: z.string().min(1).max(1_000).optional().describe("e.g. app=web; merged by time"),
  deployment: z.string().min(1).max(253).optional(),
  namespace: namespaceInput,
  context: contextInput,
  container: z.string().min(1).max(253).optional().describe("Default: the pod's default or first"),
  containers: z.enum(["all", "init"]).optional().describe("Instead of one container"),
  tail: z.int().min(1).max(5_000).default(50).describe("Last lines, after include and exclude"),
  previous: z.boolean().default(false).describe("The run before the last restart"),
  since: z.string().max(20).optional().describe("At most this old: 30s, 5m, 2h, 1d"),
  since_time: z.string().max(40).optional().describe("RFC 3339"),
  timestamps: z.boolean().default(false),
  include: z.string().min(1).max(500).optional().describe(
    "Only lines that match; RE2, (?i) ignores case",
  ),
  exclude: z.string().min(1).max(500).optional().describe("Without lines that match"),
  follow_seconds: z.int().min(1).max(30).optional().describe("Also waits for new lines"),
});

/** Reads logs. */
export function getPodLogs(clusters: Clusters): Tool {
  return defineTool({
    name: "get_pod_logs",
    title: "Pod logs",
    description:
      "The last lines of the log of a pod, or of the pods of a selector or deployment. If a container " +
      "restarted, previous: true shows why. Secrets are masked, repeated lines folded.",
    input,
    output: logOutput,
    async run(args, { signal, progress }): Promise<FoundLogs> {
      const times = sinceOf(args);
      const { lineTest } = await import("./log_pattern.ts");
      const test = lineTest(args.include, args.exclude);
      if (args.previous && args.follow_seconds !== undefined) {
        throw new CallError("invalid", "Cannot follow a previous run as it is over", {
          hint: "leave follow_seconds out",
        });
      }
      const cluster = clusters.cluster(args.context);
      // One namespace, since there is no all_namespaces here.
      const namespace = resolveScope(cluster, args) ?? cluster.defaultNamespace;
      const { pods, note } = await podsOf(cluster, namespace, args, signal);
      const now = Date.now();
      const used = pods.slice(0, maxPods);
      const chosen = used.map((pod) => logSources(pod, args, now));
      const sources = chosen.flat().slice(0, maxSources);
      const logs = await readLogs(cluster, namespace, sources, {
        ...args,
        ...times,
        test,
        followSeconds: args.follow_seconds ?? 0,
        signal,
        progress,
      });
      const single = used.length === 1 ? used[0] : undefined;
      return {
        context: cluster.context,
        namespace,
        sources,
        logs,
        others: single === undefined || args.containers !== undefined || args.container !== undefined
          ? []
          : otherContainers(single, sources),
        notes: [
          ...(note === undefined ? [] : [note]),
          ...(pods.length > used.length || chosen.flat().length > sources.length
            ? [
              `Of ${plural(pods.length, "pod")}, ${plural(sources.length, "container")} were read: ` +
              `${
                used.map((pod) => textField(pod, "metadata", "name")).join(", ")
              }. Narrow it with pod_name or selector.`,
            ]
            : []),
        ],
        about: args.deployment !== undefined
          ? `deployment ${args.deployment}`
          : args.selector !== undefined
          ? `pods with ${args.selector}`
          : undefined,
        previous: args.previous,
        timestamps: args.timestamps,
        filtered: test !== undefined,
        followSeconds: args.follow_seconds,
        narrowedInTime: args.since !== undefined || args.since_time !== undefined,
        now,
      };
    },
    present(found, budget) {
      return largestThatFits(logAnswer.items(found), (shown) => {
        const structured = logAnswer.structured(found, shown);
        return { text: logText(found, shown), structured, rows: structured.lines.length };
      }, budget);
    },
  });
}

async function podsOf(
  cluster: Cluster,
  namespace: string,
  { pod_name: name, selector, deployment }: z.output<typeof input>,
  signal: AbortSignal,
): Promise<FoundPods> {
  const given = [name, selector, deployment].filter((one) => one !== undefined).length;
  if (given !== 1) {
    throw new CallError(
      "invalid",
      given === 0
        ? "Cannot tell whose logs are wanted"
        : "Cannot take more than one of pod_name, selector and deployment",
      { hint: "give pod_name, selector or deployment; get_pods lists the pods" },
    );
  }
  if (name !== undefined) return await findPods(cluster, namespace, name, signal);
  return selector !== undefined
    ? await podsBySelector(cluster, namespace, selector, signal)
    : await podsOfDeployment(cluster, namespace, deployment ?? "", signal);
}

const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** `since` and `since_time` as the API takes them. Throws {@linkcode CallError} `invalid`. */
function sinceOf({ since, since_time: time }: z.output<typeof input>) {
  if (since !== undefined && time !== undefined) {
    throw new CallError("invalid", "Cannot take both since and since_time", { hint: "give one of them" });
  }
  if (time !== undefined) {
    const moment = Date.parse(time);
    if (Number.isNaN(moment) || !/^\d{4}-\d\d-\d\dT/.test(time)) {
      throw new CallError("invalid", `Cannot use ${JSON.stringify(time)} as since_time`, {
        hint: "give a time as in 2026-01-31T12:00:00Z",
      });
    }
    return { sinceSeconds: undefined, sinceTime: new Date(moment).toISOString().replace(/\.\d{3}Z$/, "Z") };
  }
  if (since === undefined) return { sinceSeconds: undefined, sinceTime: undefined };
  const parts = [...since.matchAll(/(\d{1,9}(?:\.\d{1,3})?)([smhd]?)/g)];
  const seconds = parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (units[unit] ?? 0), 0);
  if (parts.map(([part]) => part).join("") !== since || seconds < 1 || seconds > 10 * 365 * 86_400) {
    throw new CallError("invalid", `Cannot use ${JSON.stringify(since)} as since`, {
      hint: "give a span such as 30s, 5m, 1h30m or 2d",
    });
  }
  return { sinceSeconds: Math.ceil(seconds), sinceTime: undefined };
}
