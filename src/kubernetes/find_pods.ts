/** Finds the pods that a person means: by name, by the start of it, by a selector, by a deployment. */
import { CallError } from "../common/errors.ts";
import { nearest } from "../common/nearest.ts";
import { count } from "../common/units.ts";
import { sentence } from "../common/sentence.ts";
import type { Cluster, KubeObject } from "./api.ts";
import { field, isTrue, listField, nameOf, namespaceOf, textEntries, textField } from "./fields.ts";
import { selectorText } from "./label_selector.ts";
import { bySickness, readPod } from "./pod_summary.ts";
import { StatusError } from "./status_error.ts";
import { deploymentType, namespaceType, podType } from "./well_known.ts";

/** Pods, those most likely to be meant first. */
export interface FoundPods {
  readonly pods: readonly KubeObject[];
  /** How they were found, when their name is not the one that was given; why there may be none. */
  readonly note: string | undefined;
}

/** Pods of a namespace that are compared with the start of a name. */
const comparedPods = 500;

/**
 * The pod of that name; where there is none, the pods that one controller made under that name, such as `postgres-0`
 * for `postgres`. Throws {@linkcode CallError} `not_found`, with the names that are near.
 */
export async function findPods(
  cluster: Cluster,
  namespace: string,
  givenName: string,
  signal: AbortSignal,
): Promise<FoundPods> {
  const name = givenName.trim().replace(/^(?:pods?|po)\//, "");
  try {
    return { pods: [await cluster.get(podType, namespace, name, { signal })], note: undefined };
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "not_found") throw error;
    return await podsLike(cluster, namespace, name, error, signal);
  }
}

async function podsLike(
  cluster: Cluster,
  namespace: string,
  name: string,
  notFound: CallError,
  signal: AbortSignal,
): Promise<FoundPods> {
  const { items, more } = await cluster.list(podType, namespace, { signal, limit: comparedPods });
  const named = (test: (pod: KubeObject, name: string) => boolean) =>
    items.filter((pod) => test(pod, nameOf(pod)));
  const alike = [
    named((_, other) => other.startsWith(`${name}-`)),
    named((pod) =>
      textEntries(pod, "metadata", "labels").some(([key, value]) => isAppLabel(key) && value === name)
    ),
    named((_, other) => other.split("-").includes(name)),
  ].find((pods) => pods.length > 0) ?? [];
  const owners = new Set(alike.map(ownerOf));
  if (alike.length > 0 && owners.size === 1) {
    const pods = sickFirst(alike);
    const first = nameOf(pods[0]);
    return {
      pods,
      note: pods.length === 1
        ? `No pod is named ${name}; this is ${first}.`
        : `No pod is named ${name}; ${
          count(pods.length)
        } pods of one controller are called so, ${first} first.`,
    };
  }
  const names = items.map(nameOf);
  const near = alike.length > 0 ? alike.map(nameOf) : nearest(name, names);
  const hints = [
    ...(near.length === 0 ? [] : [`did you mean ${near.slice(0, 5).join(", ")}?`]),
    ...await elsewhere(cluster, namespace, name, items.length === 0, signal),
    ...(more === 0 || near.length > 0 ? [] : ["the namespace has more pods than were compared"]),
    ...(near.length === 0 ? ["get_pods lists the pods there are"] : []),
  ];
  throw new CallError("not_found", notFound.message, { hint: hints.join("; ") });
}

function isAppLabel(key: string): boolean {
  return /^(?:app|k8s-app|run|name|app\.kubernetes\.io\/(?:name|instance|component))$/.test(key);
}

/** What a pod belongs to; the revisions of a deployment are one. */
function ownerOf(pod: KubeObject): string {
  const owner = listField(pod, "metadata", "ownerReferences").find((one) => isTrue(one, "controller"));
  if (owner === undefined) return nameOf(pod);
  const name = textField(owner, "name") ?? "";
  const hash = textField(pod, "metadata", "labels", "pod-template-hash");
  return `${textField(owner, "kind")}/${
    hash !== undefined && name.endsWith(`-${hash}`) ? name.slice(0, -hash.length) : name
  }`;
}

/** In which other namespaces there is a pod of that name, or that this namespace, if it is empty, may not exist. */
async function elsewhere(
  cluster: Cluster,
  namespace: string,
  name: string,
  isEmpty: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const hints: string[] = [];
  const existence = isEmpty ? await existenceOf(cluster, namespace, signal) : "exists";
  if (existence === "missing") hints.push(`there is no namespace ${namespace}`);
  else if (existence !== "exists") hints.push(notTold(namespace, existence.unseen));
  try {
    const { items } = await cluster.list(podType, undefined, {
      signal,
      limit: 3,
      fieldSelector: `metadata.name=${name}`,
    });
    const others = items.map(namespaceOf);
    if (others.length > 0) hints.push(`a pod of that name is in namespace ${others.join(", ")}`);
  } catch (error) {
    if (!(error instanceof CallError) || signal.aborted) throw error;
  }
  return hints;
}

/** Whether a namespace exists, or why that can't be told. */
type Existence = "exists" | "missing" | { readonly unseen: string };

async function existenceOf(cluster: Cluster, namespace: string, signal: AbortSignal): Promise<Existence> {
  try {
    await cluster.get(namespaceType, undefined, namespace, { signal });
  } catch (error) {
    if (!(error instanceof CallError) || signal.aborted) throw error;
    if (error.kind === "not_found") return "missing";
    if (error.kind === "refused" && await livesIn(cluster, namespace, error, signal)) return "exists";
    return {
      unseen: error.kind === "refused" ? "this identity may not read namespaces" : "it could not be read",
    };
  }
  return "exists";
}

/**
 * Whether the apiserver, which has just refused something, takes the identity for a service account of that namespace:
 * its token counts only as long as the account is there, and so is the namespace.
 */
async function livesIn(
  cluster: Cluster,
  namespace: string,
  refusal: CallError,
  signal: AbortSignal,
): Promise<boolean> {
  return refusal instanceof StatusError &&
    refusal.status.message.includes(`User "system:serviceaccount:${namespace}:`) &&
    await cluster.home({ signal }) === namespace;
}

function notTold(namespace: string, why: string): string {
  return `can't tell whether namespace ${namespace} exists: ${why}`;
}

/**
 * Throws {@linkcode CallError} when there is no such namespace: of one the apiserver lists no objects as if it were
 * empty. For lists of which nothing came; `noun` is what they are of. Where that can't be told, the answer is a
 * sentence that says so.
 */
export async function refuseMissing(
  cluster: Cluster,
  namespace: string | undefined,
  noun: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (namespace === undefined) return undefined;
  const existence = await existenceOf(cluster, namespace, signal);
  if (existence === "exists") return undefined;
  if (existence !== "missing") return `${sentence(notTold(namespace, existence.unseen))}.`;
  throw new CallError(
    "not_found",
    `Cannot list ${noun} of namespace ${namespace} as there is no such namespace`,
    { hint: "list_resources with kind namespaces shows those there are" },
  );
}

/** The pods that a label selector selects, the sick first. */
export async function podsBySelector(
  cluster: Cluster,
  namespace: string,
  selector: string,
  signal: AbortSignal,
): Promise<FoundPods> {
  const { items } = await cluster.list(podType, namespace, {
    signal,
    limit: comparedPods,
    labelSelector: selector,
  });
  const note = items.length === 0 ? await refuseMissing(cluster, namespace, "pods", signal) : undefined;
  return { pods: sickFirst(items), note };
}

/** The pods of a deployment, the sick first. Throws {@linkcode CallError} `not_found`. */
export async function podsOfDeployment(
  cluster: Cluster,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<FoundPods> {
  const deployment = await cluster.get(deploymentType, namespace, name, { signal });
  const selector = selectorText(field(deployment, "spec", "selector"));
  return selector === undefined
    ? { pods: [], note: undefined }
    : await podsBySelector(cluster, namespace, selector, signal);
}

function sickFirst(pods: readonly KubeObject[]): readonly KubeObject[] {
  const now = Date.now();
  return pods.map((pod) => ({ pod, summary: readPod(pod, now) }))
    .sort((a, b) => bySickness(a.summary, b.summary))
    .map(({ pod }) => pod);
}
