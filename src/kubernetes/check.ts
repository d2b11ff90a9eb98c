/** `--check`: which clusters can be reached, as whom, what that identity may read, and whether it may do more. */
import { checkHint } from "../common/check_hint.ts";
import { type CheckResult, type Say, worst } from "../common/check_result.ts";
import { CallError } from "../common/errors.ts";
import { ended } from "../common/sentence.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters } from "./api.ts";
import { excessRights, readerManifest, readsSecrets, toolRights } from "./rights.ts";

/** Milliseconds for one context. */
const checkMs = 45_000;

/** Reports on every allowed context; `down` when one of them does not answer. */
export async function checkClusters(clusters: Clusters, say: Say): Promise<CheckResult> {
  const allowed = clusters.contexts().filter((context) => context.allowed);
  if (allowed.length === 0) {
    try {
      clusters.cluster(undefined);
    } catch (error) {
      return sayError(error, say);
    }
  }
  const results: CheckResult[] = [];
  for (const { name } of allowed) {
    try {
      results.push(await checkCluster(clusters.cluster(name), say));
    } catch (error) {
      results.push(sayError(error, say));
    }
  }
  const others = clusters.contexts().length - allowed.length;
  if (others > 0) {
    say(
      `The kubeconfig has ${others} more context${
        others === 1 ? "" : "s"
      }, which can't be used: KUBE_CONTEXT names those that can.`,
    );
  }
  return worst(results);
}

async function checkCluster(cluster: Cluster, say: Say): Promise<CheckResult> {
  const options = { signal: AbortSignal.timeout(checkMs) };
  const { context, defaultNamespace: namespace } = cluster;
  const version = await cluster.version(options);
  const identity = await cluster.identity(options);
  say(
    `Connected to context ${visible(context)}, Kubernetes ${visible(version)}${
      identity === undefined ? "" : `, as ${visible(identity)}`
    }.`,
  );
  const { rules, incomplete } = await cluster.rules(namespace, options);
  const answers = await Promise.all(toolRights.map(async ({ tool, ...attributes }) => {
    const within = attributes.resource === "nodes" ? undefined : namespace;
    return {
      tool,
      ...attributes,
      within,
      may: await cluster.access({ ...attributes, namespace: within }, options),
    };
  }));
  const missing = answers.filter(({ may }) => !may);
  if (missing.length === 0) {
    say(`It may read everything that the tools need in namespace ${visible(namespace)}.`);
  } else {
    say(`In namespace ${visible(namespace)} it lacks these rights:`);
    for (const { verb, group, resource, subresource, tool } of missing) {
      const name = `${resource}${subresource === undefined ? "" : `/${subresource}`}${
        group === "" ? "" : `.${group}`
      }`;
      say(`  - ${verb} ${name}, for ${tool}`);
    }
  }
  const everywhere = await cluster.access({ verb: "list", group: "", resource: "pods" }, options);
  if (!everywhere) say("It may not list the pods of all namespaces: all_namespaces will be refused.");
  const excess = excessRights(rules);
  if (excess.length > 0) {
    say("The identity can do more than read:");
    for (const right of excess.slice(0, 12)) say(`  - ${visible(right)}`);
    if (excess.length > 12) say(`  - and ${excess.length - 12} more`);
  }
  if (readsSecrets(rules)) say("The identity can read Secrets, whose values kubernetes-mcp never shows.");
  if (incomplete) say("The apiserver could not list all of its rights.");
  if (excess.length === 0 && !readsSecrets(rules)) {
    say("The identity can only read.");
    if (missing.length === 0) return incomplete ? "wanting" : "well";
    say("An identity that can read what the tools need:");
  } else {
    say(
      "kubernetes-mcp changes nothing either way, but an identity that can't is a second line of defence:",
    );
  }
  say("");
  for (const line of readerManifest().split("\n")) say(line, true);
  say("");
  return "wanting";
}

function sayError(error: unknown, say: Say): CheckResult {
  if (!(error instanceof CallError)) throw error;
  say(ended(error.message));
  const hint = checkHint(error);
  if (hint !== undefined) say(hint);
  return "down";
}
