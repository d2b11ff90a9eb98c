/** Services as their clients meet them: an address, and who answers there. */
import { withOthers } from "../common/listing.ts";
import { nearest } from "../common/nearest.ts";
import { plural } from "../common/units.ts";
import type { Endpoints } from "./endpoints.ts";
import {
  field,
  isTrue,
  listField,
  nameOf,
  namespaceOf,
  numberField,
  textEntries,
  textField,
  timeField,
} from "./fields.ts";
import { equalitySelector } from "./label_selector.ts";

/** A service, and what is wrong with it, if anything is. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  /** `None` for a headless one; null for ExternalName. */
  readonly cluster_ip: string | null;
  /** Addresses from outside: of the load balancer, `externalIPs`, or the name that ExternalName stands for. */
  readonly external: readonly string[];
  /** `http 80→8080/TCP`, with `:30080` for a node port. */
  readonly ports: readonly string[];
  /** `app=web,tier=front`; null where endpoints are kept by hand. */
  readonly selector: string | null;
  /** Null where the endpoints could not be read. */
  readonly ready: number | null;
  readonly unready: number | null;
  readonly created: number | undefined;
  /** Why clients are not answered, or not by all; null when all is well. */
  readonly problem: string | null;
  /** A port of it leads to none of the pods behind it; `problem` says which. */
  readonly lacksPort: boolean;
}

/** What is known of the pods that a service selects and that are no endpoints. */
export type Selected =
  | { readonly pods: number; readonly states: readonly string[] }
  /** Labels of the namespace's pods, for a selector that matches none of them. */
  | { readonly pods: 0; readonly labels: ReadonlyMap<string, ReadonlySet<string>> }
  | { readonly unseen: string };

/** `endpoints` undefined: they could not be read. `selected` is asked for where there is no endpoint. */
export function readService(
  object: unknown,
  endpoints: Endpoints | undefined,
  selected?: Selected,
): Service {
  const type = textField(object, "spec", "type") ?? "ClusterIP";
  const labels = textEntries(object, "spec", "selector");
  const external = externalAddresses(object, type);
  const answered = type !== "ExternalName" && endpoints !== undefined;
  return {
    namespace: namespaceOf(object),
    name: nameOf(object),
    type,
    cluster_ip: textField(object, "spec", "clusterIP") ?? null,
    external,
    ports: listField(object, "spec", "ports").map(portText),
    selector: labels.length === 0 ? null : equalitySelector(labels),
    ready: answered ? endpoints.ready.length : null,
    unready: answered ? endpoints.unready.length : null,
    created: timeField(object, "metadata", "creationTimestamp"),
    problem: problemOf(object, type, endpoints, selected),
    lacksPort: answered && portProblems(object, endpoints).length > 0,
  };
}

/** Whether the pods behind it have to be looked for: it selects, and no endpoint came of it. */
export function selectsInVain(object: unknown, endpoints: Endpoints | undefined): boolean {
  return textEntries(object, "spec", "selector").length > 0 &&
    textField(object, "spec", "type") !== "ExternalName" &&
    endpoints !== undefined && endpoints.ready.length + endpoints.unready.length === 0;
}

function externalAddresses(object: unknown, type: string): readonly string[] {
  if (type === "ExternalName") return [textField(object, "spec", "externalName") ?? ""];
  const balancer = listField(object, "status", "loadBalancer", "ingress")
    .map((ingress) => textField(ingress, "hostname") ?? textField(ingress, "ip") ?? "");
  const given = listField(object, "spec", "externalIPs").filter((ip) => typeof ip === "string");
  return [...balancer, ...given];
}

function portText(port: unknown): string {
  const name = textField(port, "name");
  const number = numberField(port, "port") ?? 0;
  const target = field(port, "targetPort");
  const node = numberField(port, "nodePort");
  const to = target === undefined || target === number ? "" : `→${target}`;
  return `${name === undefined ? "" : `${name} `}${number}${to}${node === undefined ? "" : `:${node}`}/${
    textField(port, "protocol") ?? "TCP"
  }`;
}

function problemOf(
  object: unknown,
  type: string,
  endpoints: Endpoints | undefined,
  selected: Selected | undefined,
): string | null {
  if (type === "ExternalName" || endpoints === undefined) return null;
  const labels = textEntries(object, "spec", "selector");
  const { ready, unready, terminating } = endpoints;
  const all = ready.length + unready.length;
  const problems: string[] = [];
  if (labels.length === 0) {
    if (all === 0) problems.push("no selector and no endpoints: nobody answers");
    else if (ready.length === 0) {
      problems.push(`no selector, and none of its ${plural(all, "endpoint")} ready`);
    }
  } else if (all === 0) {
    problems.push(inVain(labels, selected));
  } else if (ready.length === 0) {
    problems.push(`selects ${plural(all, "pod")}, none ready: ${some(unready)}${going(terminating)}`);
  } else if (unready.length > 0) {
    problems.push(`${unready.length} of ${all} endpoints not ready: ${some(unready)}${going(terminating)}`);
  }
  problems.push(...portProblems(object, endpoints));
  if (type === "LoadBalancer" && listField(object, "status", "loadBalancer", "ingress").length === 0) {
    problems.push("waits for its load balancer's address");
  }
  if (problems.length > 0 && isTrue(object, "spec", "publishNotReadyAddresses")) {
    problems.push("publishes addresses that are not ready");
  }
  return problems.length === 0 ? null : problems.join("; ");
}

/** Ports that lead to none of the pods behind a Service that selects some. */
function portProblems(object: unknown, { ready, unready, ports }: Endpoints): readonly string[] {
  if (textEntries(object, "spec", "selector").length === 0 || ready.length + unready.length === 0) return [];
  return listField(object, "spec", "ports").flatMap((port) => {
    const name = textField(port, "name") ?? "";
    const target = JSON.stringify(field(port, "targetPort") ?? name);
    return ports.has(name)
      ? []
      : [`port ${numberField(port, "port") ?? name}: no pod has a container port named ${target}`];
  });
}

function inVain(labels: readonly (readonly [string, string])[], selected: Selected | undefined): string {
  if (selected === undefined) return "no endpoints";
  if ("unseen" in selected) return `no endpoints; whether it selects a pod was not seen: ${selected.unseen}`;
  if (!("labels" in selected)) {
    const states = selected.states.length === 0 ? "" : `: ${selected.states.join(", ")}`;
    return `selects ${plural(selected.pods, "pod")}, none with an address${states}`;
  }
  const hints = labels.flatMap(([key, value]) => {
    const known = selected.labels.get(key);
    if (known === undefined) return [`no pod has a label ${key}`];
    if (known.has(value)) return [];
    const [near] = nearest(value, known, 1);
    return [`no pod has ${key}=${value}${near === undefined ? "" : `, but ${key}=${near} there is`}`];
  });
  return `selects nothing: ${
    hints.length === 0 ? "no pod has all of its labels together" : hints.join("; ")
  }`;
}

function some(names: readonly string[]): string {
  return withOthers(names.slice(0, 3), names.length - 3);
}

function going(terminating: number): string {
  return terminating === 0 ? "" : ` (${terminating} terminating)`;
}
