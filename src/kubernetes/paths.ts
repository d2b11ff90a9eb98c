/**
 * The only way to a URL of the apiserver. A {@linkcode ReadPath} can be made here and nowhere else, and only for
 * discovery, collections, objects and the logs of pods: a GET can also reach exec, attach, port-forward and proxy.
 *
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
 */
import { CallError } from "../common/errors.ts";
import { shortened } from "../common/shortened.ts";

/** A kind of object as discovery describes it. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** The name in paths and in RBAC rules, such as `deployments`. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** What a path reads, as an RBAC rule would name it. */
export interface ReadPurpose {
  readonly verb: "get" | "list";
  readonly group: string;
  /** The plural; `(discovery)` where no resource is read. */
  readonly resource: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: "log";
}

let make: (text: string, what: ReadPurpose) => ReadPath;

/** A path that reads. Made by the functions of this file alone. */
export class ReadPath {
  static {
    make = (text, what) => new ReadPath(text, what);
  }
  readonly #genuine = true;
  /** The encoded path, from its first slash, without a query. */
  readonly text: string;
  readonly what: ReadPurpose;

  private constructor(text: string, what: ReadPurpose) {
    this.text = text;
    this.what = what;
  }

  /** False for an object that only looks like a path. */
  static isGenuine(path: object): path is ReadPath {
    return #genuine in path;
  }
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const versionName = /^v[1-9][0-9]{0,5}((alpha|beta)[1-9][0-9]{0,5})?$/;

/** In the place of a plural these are verbs or subresources to the apiserver. */
const notPlurals: ReadonlySet<string> = new Set([
  "watch",
  "proxy",
  "exec",
  "attach",
  "portforward",
  "log",
  "binding",
  "eviction",
  "ephemeralcontainers",
  "finalize",
  "resize",
  "scale",
  "status",
  "token",
  "approval",
]);

/**
 * Objects of a type, in one namespace, or in all of them when it is undefined. Throws {@linkcode CallError} for
 * names that can't be in a path.
 */
export function collectionPath(type: ResourceType, namespace: string | undefined): ReadPath {
  return make(collectionText(type, namespace), { verb: "list", ...purpose(type, namespace) });
}

/** One object; `namespace` is undefined for a type without namespaces, and only then. */
export function objectPath(type: ResourceType, namespace: string | undefined, name: string): ReadPath {
  if (type.namespaced && namespace === undefined) {
    throw new CallError("invalid", `Cannot read one of the ${type.plural} without its namespace`, {
      hint: "name the namespace",
    });
  }
  checkObjectName(name);
  return make(
    `${collectionText(type, namespace)}/${encodeURIComponent(name)}`,
    { verb: "get", ...purpose(type, namespace), name },
  );
}

/** What a pod has logged. */
export function podLogPath(namespace: string, pod: string): ReadPath {
  checkNamespace(namespace);
  checkObjectName(pod);
  return make(
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
    { verb: "get", group: "", resource: "pods", kind: "Pod", namespace, name: pod, subresource: "log" },
  );
}

/** What the cluster offers: its version, all of its groups, or the resources of one version of a group. */
export function discoveryPath(
  what: "version" | "core" | "groups" | { readonly group: string; readonly version: string },
): ReadPath {
  return make(discoveryText(what), { verb: "get", group: "", resource: "(discovery)", kind: "" });
}

function discoveryText(what: Parameters<typeof discoveryPath>[0]): string {
  if (what === "version") return "/version";
  if (what === "core") return "/api";
  if (what === "groups") return "/apis";
  return versionText(what.group, what.version);
}

function versionText(group: string, version: string): string {
  if (!versionName.test(version)) throw refusedName("version", version);
  if (group === "") return `/api/${version}`;
  if (group.length > 253 || !subdomain.test(group)) throw refusedName("API group", group);
  return `/apis/${group}/${version}`;
}

function collectionText(type: ResourceType, namespace: string | undefined): string {
  const base = versionText(type.group, type.version);
  if (!label.test(type.plural)) throw refusedName("resource", type.plural);
  if (notPlurals.has(type.plural)) {
    throw new CallError("refused", `Cannot read "${type.plural}" as it is not a kind of object`);
  }
  if (namespace === undefined) return `${base}/${type.plural}`;
  if (!type.namespaced) {
    throw new CallError("invalid", `Cannot look for ${type.plural} in a namespace as they are in none`, {
      hint: "leave the namespace out",
    });
  }
  checkNamespace(namespace);
  return `${base}/namespaces/${namespace}/${type.plural}`;
}

function purpose(type: ResourceType, namespace: string | undefined) {
  return {
    group: type.group,
    resource: type.plural,
    kind: type.kind,
    ...(namespace === undefined ? {} : { namespace }),
  };
}

/** Throws {@linkcode CallError} for what can't be a namespace (RFC 1123 label). */
export function checkNamespace(namespace: string): void {
  if (!label.test(namespace)) throw refusedName("namespace", namespace);
}

/**
 * Throws {@linkcode CallError} for what can't be an object's name. RBAC's objects have colons in theirs, so that only
 * the rule for path segments holds for all: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
 */
function checkObjectName(name: string): void {
  const bad = name === "" || name.length > 253 || name === "." || name === ".." ||
    !/^[A-Za-z0-9_.:@+~=,;$&!'()*-]+$/.test(name);
  if (bad) throw refusedName("name of an object", name);
}

function refusedName(noun: string, name: string): CallError {
  const shown = JSON.stringify(shortened(name, 60));
  return new CallError("invalid", `Cannot use ${shown} as the ${noun} as it has another form`, {
    hint: /[/%]/.test(name)
      ? "give the bare name, without a slash: the kind and the namespace have arguments of their own"
      : "names are lower-case letters, digits, hyphens and dots",
  });
}
