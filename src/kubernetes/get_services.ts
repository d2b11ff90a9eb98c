/** Tool `get_services`: services, with who answers behind them. */
import * as z from "zod";
import { compare } from "../common/compare.ts";
import { couldNotAnswer } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled } from "../common/structured.ts";
import { table } from "../common/table.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import { refuseMissing } from "./find_pods.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import type { Cluster, Clusters, KubeObject } from "./api.ts";
import { type Endpoints, endpointsByService, serviceNameLabel } from "./endpoints.ts";
import { cutNotice, extentAnswer, extentShape, heading } from "./extent.ts";
import { nameOf, namespaceOf, textEntries, textField } from "./fields.ts";
import { equalitySelector } from "./label_selector.ts";
import { namedObjects } from "./named_object.ts";
import { podStatus } from "./pod_status.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, selectorInput } from "./scope.ts";
import { readService, type Selected, selectsInVain, type Service } from "./services.ts";
import { endpointSliceType, podType, serviceType } from "./well_known.ts";

/** Services read for one answer, so that the sick ones can be shown first. */
const maxServices = 500;
const maxSlices = 2_000;
/** Services without any endpoint whose pods are looked for. */
const maxInVain = 10;
/** Pods whose labels are compared with a selector that matches none. */
const comparedPods = 250;

const input = z.strictObject({
  ...scopeInput,
  name: z.string().max(253).optional().describe("Only this service"),
  label_selector: selectorInput.label_selector,
  limit: z.int().min(1).max(maxServices).default(50),
});

const output = z.object({
  ...scopeShape,
  ...extentShape,
  services: z.array(z.object({
    namespace: z.string().optional().describe("Where the answer is of several"),
    name: z.string(),
    problem: z.string().optional(),
    type: z.string(),
    cluster_ip: z.string().optional(),
    external: z.array(z.string()).optional(),
    ports: z.array(z.string()),
    ready: z.number().optional().describe("Endpoints; not there: not seen, or ExternalName"),
    unready: z.number().optional(),
    selector: z.string().optional(),
    age: z.string(),
  })).describe("Those with a problem first"),
});

/** How to see the others, where a list was cut. */
const less = "Narrow it with namespace, name or label_selector, or raise limit.";

interface Found {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly services: readonly Service[];
  readonly limit: number;
  readonly more: number | "unknown";
  readonly note: string | undefined;
  readonly now: number;
}

/** Lists services. */
export function getServices(clusters: Clusters): Tool {
  return defineTool({
    name: "get_services",
    title: "Services",
    description:
      "Type, addresses, ports, selector, ready and unready endpoints, and what is wrong: selects nothing, " +
      "no pod ready, a port that no pod has.",
    input,
    output,
    async run({ name, label_selector: labelSelector, limit, ...args }, { signal }): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args);
      const { items, more } = name === undefined
        ? await cluster.listAll(serviceType, namespace, {
          signal,
          maxItems: maxServices,
          labelSelector,
        })
        : { items: await namedObjects(cluster, serviceType, namespace, name, { signal }), more: 0 };
      if (items.length === 0) {
        const note = await refuseMissing(cluster, namespace, "services", signal);
        return { context: cluster.context, namespace, services: [], limit, more, note, now: Date.now() };
      }
      return { ...await withEndpoints(cluster, namespace, items, name, signal), limit, more };
    },
    present,
  });
}

/** What the tool says of one service that has been read. */
export async function tellService(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): Promise<(budget: number) => string> {
  const namespace = textField(object, "metadata", "namespace");
  const name = textField(object, "metadata", "name");
  const found: Found = {
    ...await withEndpoints(cluster, namespace, [object], name, signal),
    limit: 1,
    more: 0,
  };
  return (budget) => present(found, budget).text;
}

function present(found: Found, budget: number): Presentation<z.output<typeof output>> {
  return largestThatFits(Math.min(found.limit, found.services.length), (shown) => {
    const structured = structuredOf(found, shown);
    return { text: render(found, shown), structured, rows: shown };
  }, budget);
}

/** Services that have been read, with their endpoints, those with a problem first; `note` says why there are no endpoints. */
export async function withEndpoints(
  cluster: Cluster,
  namespace: string | undefined,
  items: readonly KubeObject[],
  name: string | undefined,
  signal: AbortSignal,
): Promise<Omit<Found, "limit" | "more">> {
  const { endpoints, note } = await readEndpoints(cluster, namespace, name, signal);
  const of = (object: KubeObject): Endpoints | undefined => endpoints?.(keyOf(object));
  const selected = await findSelected(
    cluster,
    items.filter((object) => selectsInVain(object, of(object))),
    signal,
  );
  const services = items
    .map((object) => readService(object, of(object), selected.get(keyOf(object))))
    .sort((a, b) =>
      Number(a.problem === null) - Number(b.problem === null) || compare(a.namespace, b.namespace) ||
      compare(a.name, b.name)
    );
  return { context: cluster.context, namespace, services, note, now: Date.now() };
}

function keyOf(object: unknown): string {
  return `${namespaceOf(object)}/${nameOf(object)}`;
}

const noEndpoints: Endpoints = { ready: [], unready: [], terminating: 0, ports: new Set() };

/** Undefined where the identity may not read EndpointSlices: services are worth an answer without them. */
async function readEndpoints(
  cluster: Cluster,
  namespace: string | undefined,
  name: string | undefined,
  signal: AbortSignal,
): Promise<{
  readonly endpoints: ((key: string) => Endpoints | undefined) | undefined;
  readonly note: string | undefined;
}> {
  try {
    const { items, more } = await cluster.listAll(endpointSliceType, namespace, {
      signal,
      maxItems: maxSlices,
      ...(name === undefined ? {} : { labelSelector: `${serviceNameLabel}=${name}` }),
    });
    const known = endpointsByService(items);
    const whole = more === 0;
    return {
      endpoints: (key) => known.get(key) ?? (whole ? noEndpoints : undefined),
      note: whole
        ? undefined
        : `Only the first ${plural(items.length, "EndpointSlice")} were read: narrow it.`,
    };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { endpoints: undefined, note: `Endpoints were not seen: ${error.message}.` };
  }
}

async function findSelected(
  cluster: Cluster,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Selected>> {
  return new Map(
    await Promise.all(
      objects.slice(0, maxInVain).map(async (object) =>
        [keyOf(object), await selectedBy(cluster, object, signal)] as const
      ),
    ),
  );
}

async function selectedBy(cluster: Cluster, object: KubeObject, signal: AbortSignal): Promise<Selected> {
  const namespace = textField(object, "metadata", "namespace");
  const labels = textEntries(object, "spec", "selector");
  try {
    const { items, more } = await cluster.list(podType, namespace, {
      signal,
      limit: 100,
      labelSelector: equalitySelector(labels),
    });
    if (items.length > 0) {
      const states = new Map<string, number>();
      for (const pod of items) {
        const { status } = podStatus(pod);
        states.set(status, (states.get(status) ?? 0) + 1);
      }
      return {
        pods: items.length + (more === "unknown" ? 0 : more),
        states: [...states].map(([state, pods]) => `${state} (${pods})`),
      };
    }
    const others = await cluster.list(podType, namespace, { signal, limit: comparedPods });
    return {
      pods: 0,
      labels: new Map(labels.map(([key]) => [
        key,
        new Set(others.items.flatMap((pod) => textField(pod, "metadata", "labels", key) ?? [])),
      ])),
    };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { unseen: error.message };
  }
}

function structuredOf(found: Found, shown: number): z.output<typeof output> {
  const all = { read: found.services.length, more: found.more };
  return {
    ...scopeAnswer(found),
    ...extentAnswer(shown, all, less, found),
    services: found.services.slice(0, shown).map((service) => ({
      ...(found.namespace === undefined ? { namespace: service.namespace } : {}),
      name: service.name,
      ...filled({ problem: service.problem }),
      type: service.type,
      ...filled({ cluster_ip: service.cluster_ip, external: [...service.external] }),
      ports: [...service.ports],
      ...filled({ ready: service.ready, unready: service.unready, selector: service.selector }),
      age: kubernetesAge(service.created, found.now),
    })),
  };
}

function render(found: Found, shown: number): string {
  const all = { read: found.services.length, more: found.more };
  const services = found.services.slice(0, shown);
  const lines = [heading(shown, all, ["service", "services"], found)];
  if (found.note !== undefined) lines.push(visible(found.note));
  const prefix = (service: { namespace: string; name: string }) =>
    found.namespace === undefined ? `${service.namespace}/${service.name}` : service.name;
  const sick = services.filter(({ problem }) => problem !== null);
  if (sick.length > 0) lines.push("", ...sick.map((item) => visible(`- ${prefix(item)}: ${item.problem}`)));
  if (services.length > 0) {
    lines.push(
      "",
      table(
        [
          { name: "NAME" },
          { name: "TYPE" },
          { name: "CLUSTER IP" },
          { name: "EXTERNAL" },
          { name: "PORTS" },
          { name: "READY", align: "right" },
          { name: "SELECTOR" },
          { name: "AGE" },
        ],
        services.map((item) => [
          prefix(item),
          item.type,
          item.cluster_ip === "None" ? "None (headless)" : item.cluster_ip,
          item.external.join(",") || null,
          item.ports.join(", ") || null,
          item.ready === null ? null : `${item.ready}/${item.ready + (item.unready ?? 0)}`,
          item.selector,
          kubernetesAge(item.created, found.now),
        ]),
        { nullText: "-", quotes: false },
      ),
    );
  }
  const notice = cutNotice(shown, all, less);
  if (notice !== undefined) lines.push("", notice);
  return lines.join("\n");
}
