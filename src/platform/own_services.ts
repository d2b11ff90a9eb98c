/** The Services that are called like the service: by them its clients find its pods. */
import { couldNotAnswer } from "../common/errors.ts";
import type { Cluster, KubeObject } from "../kubernetes/api.ts";
import { nameOf, namespaceOf } from "../kubernetes/fields.ts";
import { withEndpoints } from "../kubernetes/get_services.ts";
import type { Service } from "../kubernetes/services.ts";
import { serviceType } from "../kubernetes/well_known.ts";

/** What of a Service is judged. */
export type OwnService = Pick<Service, "namespace" | "name" | "ready" | "problem" | "lacksPort">;

/** Namespaces that are looked into. */
const maxNamespaces = 5;

/** Those of that name; that they can't be read is a note, as the pods are worth a report without them. */
export async function findServices(
  cluster: Cluster,
  name: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly objects: readonly KubeObject[]; readonly notes: readonly string[] }> {
  // No Service has another name, and a selector must not become another one.
  if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return { objects: [], notes: [] };
  return await attempt(async () => {
    const { items } = await cluster.list(serviceType, namespace, {
      signal,
      fieldSelector: `metadata.name=${name}`,
    });
    return { objects: items, notes: [] };
  }, { objects: [] });
}

/** What is wrong with those of them that are in these namespaces. */
export async function tellServices(
  cluster: Cluster,
  objects: readonly KubeObject[],
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly found: readonly OwnService[]; readonly notes: readonly string[] }> {
  const own = objects.filter((object) => namespaces.includes(namespaceOf(object)));
  return await attempt(async () => {
    const found = await Promise.all(
      own.slice(0, maxNamespaces).map((object) =>
        withEndpoints(
          cluster,
          namespaceOf(object),
          [object],
          nameOf(object),
          signal,
        )
      ),
    );
    return {
      found: found.flatMap(({ services }) => services),
      notes: found.flatMap(({ note }) =>
        note === undefined ? [] : note.replace(/^Endpoints/, "its Service's endpoints").replace(/\.$/, "")
      ),
    };
  }, { found: [] });
}

async function attempt<Value extends { readonly notes: readonly string[] }>(
  read: () => Promise<Value>,
  nothing: Omit<Value, "notes">,
): Promise<Omit<Value, "notes"> & { readonly notes: readonly string[] }> {
  try {
    return await read();
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { ...nothing, notes: [`whether its Service finds its pods was not seen: ${error.message}`] };
  }
}
