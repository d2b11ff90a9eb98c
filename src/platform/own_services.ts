/** The Services that are called like the service: by them its clients find its pods. */
import { CallError } from "../common/errors.ts";
import type { Cluster } from "../kubernetes/api.ts";
import { tellEndpoints } from "../kubernetes/get_services.ts";
import type { Service } from "../kubernetes/services.ts";
import { serviceType } from "../kubernetes/well_known.ts";

/** What of a Service is judged. */
export type OwnService = Pick<Service, "namespace" | "name" | "ready" | "problem" | "lacksPort">;

/** Namespaces that are looked into. */
const maxNamespaces = 5;

/** Reads them; that they can't be read is a note, as the pods are worth a report without them. */
export async function readOwnServices(
  cluster: Cluster,
  name: string,
  namespaces: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly found: readonly OwnService[]; readonly notes: readonly string[] }> {
  // No Service has another name, and a selector must not become another one.
  if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return { found: [], notes: [] };
  try {
    const found = await Promise.all(
      namespaces.slice(0, maxNamespaces).map(async (namespace) => {
        const { items } = await cluster.list(serviceType, namespace, {
          signal,
          fieldSelector: `metadata.name=${name}`,
        });
        return items.length === 0
          ? { services: [], note: undefined }
          : await tellEndpoints(cluster, namespace, items, name, signal);
      }),
    );
    return {
      found: found.flatMap(({ services }) => services),
      notes: found.flatMap(({ note }) =>
        note === undefined ? [] : note.replace(/^Endpoints/, "its Service's endpoints").replace(/\.$/, "")
      ),
    };
  } catch (error) {
    if (!(error instanceof CallError) || error.kind === "cancelled") throw error;
    return { found: [], notes: [`whether its Service finds its pods was not seen: ${error.message}`] };
  }
}
