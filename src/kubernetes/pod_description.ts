/**
 * A pod as `kubectl describe pod` prints it: every section, in its order, and what kubectl leaves out: messages of waiting
 * containers, reasons and messages of conditions. Blanks that only align are left out.
 *
 * Source: `describePod` in k8s.io/kubectl/pkg/describe/describe.go.
 */
import { compare } from "../common/compare.ts";
import { describeContainers, resourceLines, timeText } from "./container_description.ts";
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
import { humanDuration } from "./kubernetes_age.ts";
import { selectorText } from "./label_selector.ts";
import { describeVolumes } from "./volume_description.ts";

/** The lines of all sections but the events; `now` in milliseconds since 1970. */
export function describePodLines(pod: unknown, now: number): readonly string[] {
  return [...head(pod, now), ...containers(pod, now), ...tail(pod, now)];
}

function head(pod: unknown, now: number): readonly string[] {
  const optional = (title: string, value: string | number | undefined) =>
    value === undefined ? [] : [`${title}: ${value}`];
  const node = textField(pod, "spec", "nodeName");
  const started = timeField(pod, "status", "startTime");
  const profile = field(pod, "spec", "securityContext", "seccompProfile");
  const addresses = listField(pod, "status", "podIPs");
  const owner = listField(pod, "metadata", "ownerReferences").find((one) => isTrue(one, "controller"));
  const resources = field(pod, "spec", "resources");
  return [
    `Name: ${nameOf(pod)}`,
    `Namespace: ${namespaceOf(pod)}`,
    ...optional("Priority", numberField(pod, "spec", "priority")),
    ...optional("Priority Class Name", textField(pod, "spec", "priorityClassName")),
    ...optional("Runtime Class Name", textField(pod, "spec", "runtimeClassName")),
    ...optional("Service Account", textField(pod, "spec", "serviceAccountName")),
    `Node: ${node === undefined ? "<none>" : `${node}/${textField(pod, "status", "hostIP") ?? ""}`}`,
    ...(started === undefined ? [] : [`Start Time: ${timeText(started, now)}`]),
    ...listLines(
      "Labels",
      textEntries(pod, "metadata", "labels").map(([key, value]) => `${key}=${value}`).sort(),
    ),
    ...annotationLines(pod),
    ...statusLines(pod, now),
    ...optional("Reason", textField(pod, "status", "reason")),
    ...optional("Message", textField(pod, "status", "message")),
    ...optional("SeccompProfile", textField(profile, "type")),
    ...optional("LocalhostProfile", textField(profile, "localhostProfile")),
    `IP: ${textField(pod, "status", "podIP") ?? ""}`,
    ...(addresses.length === 0
      ? ["IPs: <none>"]
      : ["IPs:", ...addresses.map((address) => `  IP: ${textField(address, "ip") ?? ""}`)]),
    ...(owner === undefined
      ? []
      : [`Controlled By: ${textField(owner, "kind")}/${textField(owner, "name")}`]),
    ...optional("NominatedNodeName", textField(pod, "status", "nominatedNodeName")),
    ...(resources === undefined ? [] : ["Resources:", ...resourceLines(resources, "  ")]),
  ];
}

function statusLines(pod: unknown, now: number): readonly string[] {
  const phase = textField(pod, "status", "phase") ?? "";
  const deleted = timeField(pod, "metadata", "deletionTimestamp");
  if (deleted === undefined || phase === "Failed" || phase === "Succeeded") return [`Status: ${phase}`];
  const finalizers = listField(pod, "metadata", "finalizers");
  return [
    `Status: Terminating (lasts ${humanDuration(now - deleted)})`,
    `Termination Grace Period: ${numberField(pod, "metadata", "deletionGracePeriodSeconds") ?? 0}s`,
    ...(finalizers.length === 0 ? [] : [`Finalizers: ${finalizers.join(", ")}`]),
  ];
}

function annotationLines(pod: unknown): readonly string[] {
  return listLines(
    "Annotations",
    textEntries(pod, "metadata", "annotations")
      .toSorted(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([key, value]) => {
        const text = value.replace(/\n$/, "");
        // kubectl's own rule for what goes on lines of its own.
        return text.includes("\n") || text.length + key.length + 2 > 140
          ? [`${key}:`, ...text.split("\n").map((line) => `  ${line}`)]
          : [`${key}: ${text}`];
      }),
  );
}

/** A title with the first of several lines beside it. */
function listLines(title: string, lines: readonly string[]): readonly string[] {
  const [first = "<none>", ...others] = lines;
  return [`${title}: ${first}`, ...others.map((line) => `  ${line}`)];
}

function containers(pod: unknown, now: number): readonly string[] {
  const section = (title: string, spec: string, status: string) => {
    const all = listField(pod, "spec", spec);
    return all.length === 0 ? [] : describeContainers(title, pod, all, listField(pod, "status", status), now);
  };
  return [
    ...section("Init Containers", "initContainers", "initContainerStatuses"),
    ...section("Containers", "containers", "containerStatuses"),
    ...section("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
  ];
}

function tail(pod: unknown, now: number): readonly string[] {
  const conditions = listField(pod, "status", "conditions");
  const gates = listField(pod, "spec", "readinessGates");
  const statusOf = (type: string | undefined) =>
    textField(conditions.find((condition) => textField(condition, "type") === type), "status") ?? "<none>";
  const group = textField(pod, "spec", "schedulingGroup", "podGroupName");
  return [
    ...(gates.length === 0 ? [] : [
      "Readiness Gates:",
      "  Type Status",
      ...gates.map((gate) => textField(gate, "conditionType")).map((type) => `  ${type} ${statusOf(type)}`),
    ]),
    ...(conditions.length === 0
      ? []
      : ["Conditions:", "  Type Status", ...conditions.map((one) => `  ${conditionText(one, now)}`)]),
    ...describeVolumes(listField(pod, "spec", "volumes")),
    `QoS Class: ${textField(pod, "status", "qosClass") ?? "<unknown>"}`,
    ...listLines(
      "Node-Selectors",
      textEntries(pod, "spec", "nodeSelector").map(([key, value]) => `${key}=${value}`).sort(),
    ),
    ...listLines(
      "Tolerations",
      listField(pod, "spec", "tolerations").toSorted(byTolerationKey).map(tolerationText),
    ),
    ...spreadLines(listField(pod, "spec", "topologySpreadConstraints")),
    ...(group === undefined ? [] : ["SchedulingGroup:", `  PodGroupName: ${group}`]),
  ];
}

/** Type and status, as kubectl prints them, then what it does not print. */
function conditionText(condition: unknown, now: number): string {
  const reason = textField(condition, "reason");
  const message = textField(condition, "message");
  const since = timeField(condition, "lastTransitionTime");
  return [
    textField(condition, "type"),
    textField(condition, "status"),
    ...(since === undefined ? [] : [`for ${humanDuration(now - since)}`]),
    ...(reason === undefined && message === undefined
      ? []
      : [[reason, message].filter((part) => part !== undefined).join(": ")]),
  ].join(" ");
}

function byTolerationKey(a: unknown, b: unknown): number {
  return compare(textField(a, "key") ?? "", textField(b, "key") ?? "");
}

function tolerationText(toleration: unknown): string {
  const [key = "", value, effect] = ["key", "value", "effect"].map((name) => textField(toleration, name));
  const seconds = numberField(toleration, "tolerationSeconds");
  const exists = textField(toleration, "operator") === "Exists" && value === undefined;
  return [
    key,
    value === undefined ? "" : `=${value}`,
    effect === undefined ? "" : `:${effect}`,
    exists ? `${key !== "" || effect !== undefined ? " " : ""}op=Exists` : "",
    seconds === undefined ? "" : ` for ${seconds}s`,
  ].join("");
}

function spreadLines(constraints: readonly unknown[]): readonly string[] {
  if (constraints.length === 0) return [];
  const texts = constraints
    .toSorted((a, b) => (textField(a, "topologyKey") ?? "") < (textField(b, "topologyKey") ?? "") ? -1 : 1)
    .map((one) => {
      const selector = selectorText(field(one, "labelSelector"));
      return `${textField(one, "topologyKey")}:${textField(one, "whenUnsatisfiable")} when max skew ` +
        `${numberField(one, "maxSkew") ?? 0} is exceeded${
          selector === undefined ? "" : ` for selector ${selector}`
        }`;
    });
  return listLines("Topology Spread Constraints", texts);
}
