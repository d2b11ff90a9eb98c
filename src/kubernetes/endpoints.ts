/** Who answers for a service: its endpoints, from the EndpointSlices that carry its name. */
import { field, listField, namespaceOf, textField } from "./fields.ts";

/** The label by which a slice names its service (kubernetes.io/docs, "EndpointSlices"). */
export const serviceNameLabel = "kubernetes.io/service-name";

/** The endpoints of one service, each pod or address counted once. */
export interface Endpoints {
  readonly ready: readonly string[];
  readonly unready: readonly string[];
  /** Of the unready ones: still serving while they shut down. */
  readonly terminating: number;
  /** Names of the service ports that some endpoint has; the empty string is the unnamed port. */
  readonly ports: ReadonlySet<string>;
}

interface Endpoint {
  ready: boolean;
  terminating: boolean;
}

/** The endpoints of every service that the slices name, by `namespace/service`. */
export function endpointsByService(slices: Iterable<unknown>): ReadonlyMap<string, Endpoints> {
  const services = new Map<string, { endpoints: Map<string, Endpoint>; ports: Set<string> }>();
  for (const slice of slices) {
    const service = textField(slice, "metadata", "labels", serviceNameLabel);
    if (service === undefined) continue;
    const key = `${namespaceOf(slice)}/${service}`;
    let known = services.get(key);
    if (known === undefined) services.set(key, known = { endpoints: new Map(), ports: new Set() });
    const endpoints = listField(slice, "endpoints");
    if (endpoints.length > 0) {
      for (const port of listField(slice, "ports")) known.ports.add(textField(port, "name") ?? "");
    }
    for (const endpoint of endpoints) {
      // A pod with two address families, or with ports in two slices, is one endpoint.
      const name = textField(endpoint, "targetRef", "name") ?? textField(endpoint, "addresses", 0) ?? "";
      // "ready" unset is to be taken as true (discovery.k8s.io/v1, EndpointConditions).
      const ready = field(endpoint, "conditions", "ready") !== false;
      const terminating = field(endpoint, "conditions", "terminating") === true;
      const before = known.endpoints.get(name);
      known.endpoints.set(name, {
        ready: (before?.ready ?? false) || ready,
        terminating: (before?.terminating ?? false) || terminating,
      });
    }
  }
  return new Map([...services].map(([key, { endpoints, ports }]) => {
    const all = [...endpoints];
    const unready = all.filter(([, { ready }]) => !ready);
    return [key, {
      ready: all.filter(([, { ready }]) => ready).map(([name]) => name),
      unready: unready.map(([name]) => name),
      terminating: unready.filter(([, { terminating }]) => terminating).length,
      ports,
    }];
  }));
}
