/** One object by its name; where there is none, the error says what there is instead. */
import { answerOr, CallError } from "../common/errors.ts";
import { didYouMean, nearest } from "../common/nearest.ts";
import type { AskOptions, Cluster, KubeObject } from "./api.ts";
import { textField } from "./fields.ts";
import type { ResourceType } from "./paths.ts";

/** Names that are compared with one that does not exist. */
const comparedNames = 500;

/** The objects of that name: one, or with `namespace` undefined those of all namespaces. Throws {@linkcode CallError}. */
export async function namedObjects(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  options: AskOptions,
): Promise<readonly KubeObject[]> {
  if (namespace !== undefined || !type.namespaced) {
    return [await namedObject(cluster, type, namespace, name, options)];
  }
  const { items } = await cluster.list(type, undefined, {
    signal: options.signal,
    fieldSelector: `metadata.name=${name}`,
  });
  if (items.length > 0) return items;
  throw new CallError("not_found", `Cannot find ${type.kind} ${JSON.stringify(name)} in any namespace`, {
    hint: await nearHint(cluster, type, undefined, name, options) ??
      `list_resources shows the ${type.plural}`,
  });
}

/** One object. Throws {@linkcode CallError} `not_found`, whose hint names what is near, or the namespace it is in. */
export async function namedObject(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  options: AskOptions,
): Promise<KubeObject> {
  try {
    return await cluster.get(type, namespace, name, options);
  } catch (error) {
    if (!(error instanceof CallError) || error.kind !== "not_found") throw error;
    const hint = await elsewhereHint(cluster, type, namespace, name, options) ??
      await nearHint(cluster, type, namespace, name, options) ?? error.hint;
    throw new CallError("not_found", error.message, { hint, cause: error });
  }
}

async function elsewhereHint(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  options: AskOptions,
): Promise<string | undefined> {
  if (namespace === undefined) return undefined;
  const found = await answerOr(
    undefined,
    () =>
      cluster.list(type, undefined, {
        signal: options.signal,
        limit: 5,
        fieldSelector: `metadata.name=${name}`,
      }),
  );
  const others = found?.items.flatMap((object) => textField(object, "metadata", "namespace") ?? []) ?? [];
  return others.length === 0 ? undefined : `there is one of that name in namespace ${others.join(", ")}`;
}

async function nearHint(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  options: AskOptions,
): Promise<string | undefined> {
  const found = await answerOr(
    undefined,
    () => cluster.table(type, namespace, { signal: options.signal, limit: comparedNames }),
  );
  return didYouMean(nearest(name, found?.rows.map((row) => row.name) ?? [], 3));
}
