/** Completes the arguments of prompts: services, namespaces and tables by what the backends have. */
import { answerOr, CallError } from "../common/errors.ts";
import { completePromptInput } from "../common/prompts.ts";
import { completion, type Completions, maxCompletions, noCompletions } from "../common/resources.ts";
import type { Tool } from "../common/tool.ts";
import type { Clusters } from "../kubernetes/api.ts";
import { textField } from "../kubernetes/fields.ts";
import type { ResourceType } from "../kubernetes/paths.ts";
import { deploymentType, namespaceType } from "../kubernetes/well_known.ts";
import { completeTable } from "../postgres/resources.ts";
import type { Sources } from "./gather.ts";

/** Objects that are looked through. */
const mostNames = 1_000;

/** Completes what has been typed of an argument; a backend that is down completes nothing. */
export function completePrompts(sources: Sources): Tool {
  return completion(completePromptInput, ({ argument, value, known }, { signal }) => {
    const { clusters, database } = sources;
    if (argument === "table" && database !== undefined) {
      return answerOr(noCompletions, () => completeTable(database.database, value, undefined, signal));
    }
    if (argument === "namespace" && clusters !== undefined) {
      return answerOr(
        noCompletions,
        async () => beginningWith(value, await namespaceNames(clusters, signal)),
      );
    }
    if (argument === "service") {
      return serviceNames(sources, known.namespace, signal).then((names) => beginningWith(value, names));
    }
    return Promise.resolve(noCompletions);
  });
}

function beginningWith(start: string, names: readonly string[]): Completions {
  const values = [...new Set(names)].filter((name) => name.toLowerCase().startsWith(start.toLowerCase()))
    .sort();
  return {
    values: values.slice(0, maxCompletions),
    total: values.length,
    hasMore: values.length > maxCompletions,
  };
}

/** What the cluster or Prometheus calls a service; one of them is enough. */
async function serviceNames(
  { clusters, prometheus }: Sources,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lists = await Promise.all([
    answerOr([], async () => clusters ? await deploymentNames(clusters, namespace || undefined, signal) : []),
    answerOr([], async () => {
      if (prometheus === undefined) return [];
      return (await prometheus.labelValues("job", [], {}, { signal, limit: mostNames })).values;
    }),
  ]);
  return lists.flat();
}

/** Those of all namespaces, or of the context's own for an identity that may list no others. */
async function deploymentNames(
  clusters: Clusters,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await objectNames(clusters, deploymentType, namespace, signal);
  } catch (error) {
    if (namespace !== undefined || !(error instanceof CallError) || error.kind !== "refused") throw error;
    return await objectNames(clusters, deploymentType, clusters.cluster(undefined).defaultNamespace, signal);
  }
}

/** All namespaces, or the context's own for an identity that may not list them. */
async function namespaceNames(clusters: Clusters, signal: AbortSignal): Promise<readonly string[]> {
  try {
    return await objectNames(clusters, namespaceType, undefined, signal);
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "refused") throw error;
    return [clusters.cluster(undefined).defaultNamespace];
  }
}

async function objectNames(
  clusters: Clusters,
  type: ResourceType,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { items } = await clusters.cluster(undefined).listAll(type, namespace, {
    signal,
    maxItems: mostNames,
  });
  return items.flatMap((item) => textField(item, "metadata", "name") ?? []);
}
