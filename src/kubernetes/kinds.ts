/**
 * Which kinds a cluster has, custom ones included, by the names that people type.
 *
 * https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
 */
import { CallError } from "../common/errors.ts";
import { nearest } from "../common/nearest.ts";
import type { AskOptions, Door, KubeObject } from "./door.ts";
import { discoveryPath, type ResourceType } from "./paths.ts";
import { entries, fields, text, texts } from "./fields.ts";

const aggregated = [
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
  "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
  "application/json",
].join(",");

/** A kind, and its other names. */
interface Discovered {
  readonly type: ResourceType;
  readonly singular: string;
  readonly shortNames: readonly string[];
}

/** What one discovery found, in the cluster's order of preference. */
export class Kinds {
  readonly #discovered: readonly Discovered[];

  constructor(discovered: readonly Discovered[]) {
    this.#discovered = discovered;
  }

  /** The kind that a name means, as kubectl takes it; undefined for none. */
  find(name: string): ResourceType | undefined {
    const wanted = name.toLowerCase();
    const dot = wanted.indexOf(".");
    const bare = dot === -1 ? wanted : wanted.slice(0, dot);
    // `cronjobs.batch`, `deployments.v1.apps`
    const rest = dot === -1 ? undefined : wanted.slice(dot + 1);
    const fits = ({ type }: Discovered) =>
      rest === undefined || type.group === rest || `${type.version}.${type.group}` === rest ||
      (type.group === "" && type.version === rest);
    const candidates = this.#discovered.filter(fits);
    const found = candidates.find(({ type }) => type.plural === bare) ??
      candidates.find(({ shortNames }) => shortNames.includes(bare)) ??
      candidates.find(({ type, singular }) => singular === bare || type.kind.toLowerCase() === bare);
    return found?.type;
  }

  /** The names nearest to one that is none. */
  nearest(name: string): readonly string[] {
    return nearest(name, this.#discovered.flatMap(({ type, shortNames }) => [type.plural, ...shortNames]), 4);
  }
}

/** Asks the cluster: two requests, or one for each version of a group where the apiserver is older than 1.26. */
export async function discover(door: Door, options: AskOptions): Promise<Kinds> {
  const answers = await Promise.all([
    door.discovery(discoveryPath("core"), aggregated, options),
    door.discovery(discoveryPath("groups"), aggregated, options),
  ]);
  const groups = await Promise.all(
    answers.map((answer) =>
      answer.kind === "APIGroupDiscoveryList" ? fromAggregated(answer) : fromLegacy(door, answer, options)
    ),
  );
  return new Kinds(groups.flat());
}

/** Throws {@linkcode CallError} for a name that means a subresource, such as `pods/exec`. */
export function refuseSubresource(name: string): void {
  if (!name.includes("/")) return;
  throw new CallError(
    "refused",
    `Cannot read ${JSON.stringify(name.slice(0, 60))} as only whole objects and the logs of pods can be read`,
    {
      hint:
        "give the kind alone; exec, attach, port-forward, proxy and every other subresource are out of reach here, and get_pod_logs reads logs",
    },
  );
}

function fromAggregated(answer: KubeObject): readonly Discovered[] {
  const seen = new Set<string>();
  return entries(answer.items).flatMap((item) => {
    const group = text(fields(item.metadata).name);
    return entries(item.versions).flatMap((version) =>
      entries(version.resources).flatMap((resource): Discovered[] => {
        const plural = text(resource.resource);
        // The first version is the preferred one.
        if (plural === "" || !isReadable(resource) || seen.has(`${plural}.${group}`)) return [];
        seen.add(`${plural}.${group}`);
        return [{
          singular: text(resource.singularResource).toLowerCase(),
          shortNames: texts(resource.shortNames),
          type: {
            group,
            version: text(version.version),
            plural,
            kind: text(fields(resource.responseKind).kind),
            namespaced: resource.scope === "Namespaced",
          },
        }];
      })
    );
  });
}

async function fromLegacy(
  door: Door,
  answer: KubeObject,
  options: AskOptions,
): Promise<readonly Discovered[]> {
  const groupVersions = answer.groups === undefined
    ? texts(answer.versions).map((version) => ({ group: "", version }))
    : entries(answer.groups).flatMap((group) => {
      const preferred = text(fields(group.preferredVersion).version);
      const versions = entries(group.versions).map((version) => text(version.version));
      return [...new Set([preferred, ...versions])].filter((version) => version !== "")
        .map((version) => ({ group: text(group.name), version }));
    });
  const lists = await Promise.all(groupVersions.map(async ({ group, version }) => {
    try {
      const list = await door.discovery(discoveryPath({ group, version }), "application/json", options);
      return { group, version, resources: entries(list.resources) };
    } catch (error) {
      // An aggregated API whose server is down takes nothing away from the others.
      if (error instanceof CallError && !options.signal.aborted) return { group, version, resources: [] };
      throw error;
    }
  }));
  const seen = new Set<string>();
  return lists.flatMap(({ group, version, resources }) =>
    resources.flatMap((resource): Discovered[] => {
      const plural = text(resource.name);
      if (
        plural === "" || plural.includes("/") || !isReadable(resource) || seen.has(`${plural}.${group}`)
      ) return [];
      seen.add(`${plural}.${group}`);
      return [{
        singular: text(resource.singularName).toLowerCase(),
        shortNames: texts(resource.shortNames),
        type: {
          group,
          version,
          plural,
          kind: text(resource.kind),
          namespaced: resource.namespaced === true,
        },
      }];
    })
  );
}

function isReadable(resource: Readonly<Record<string, unknown>>): boolean {
  const verbs = texts(resource.verbs);
  return verbs.includes("get") || verbs.includes("list");
}
