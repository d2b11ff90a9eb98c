/** Tool `describe_pod`: why a pod is as it is, then all that `kubectl describe pod` shows. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { fitsBudget } from "../common/largest_that_fits.ts";
import { fit } from "../common/output.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, KubeObject } from "./api.ts";
import { diagnose, type Finding, type Surroundings } from "./diagnosis.ts";
import { type ClusterEvent, readEvent } from "./events.ts";
import { field, listField, textField } from "./fields.ts";
import { findPods } from "./find_pods.ts";
import { humanDuration, kubernetesAge } from "./kubernetes_age.ts";
import { describePodLines } from "./pod_description.ts";
import { podAnswer, podShape, type PodSummary, readPod } from "./pod_summary.ts";
import { contextInput, namespaceInput, resolveScope } from "./scope.ts";
import { eventType, nodeType, persistentVolumeClaimType } from "./well_known.ts";

const input = z.strictObject({
  pod_name: z.string().min(1).max(253).describe("Or its start"),
  namespace: namespaceInput,
  context: contextInput,
});

const output = z.object({
  context: z.string(),
  diagnosis: z.array(z.object({ problem: z.string(), evidence: z.array(z.string()) }))
    .describe("What is wrong, the cause first; empty: nothing seems to be"),
  notes: z.array(z.string()).optional().describe("What was not seen, or not shown"),
  pod: z.object({ namespace: z.string(), ...podShape.shape }),
  events: z.array(z.object({
    type: z.string(),
    reason: z.string(),
    count: z.number().optional().describe("How often, if several times"),
    first_seen: z.string().optional().describe("Age"),
    last_seen: z.string().describe("Age"),
    from: z.string(),
    about: z.string().optional().describe("Part of the pod's spec"),
    message: z.string(),
  })).describe("The latest last"),
  description: z.string().describe("What kubectl describe pod shows, and what it leaves out"),
});

/** An event with what only a description shows. */
interface PodEvent extends ClusterEvent {
  readonly from: string;
  /** The container it is about, as a path of the pod's spec. */
  readonly path: string | undefined;
}

interface Found {
  readonly context: string;
  readonly pod: KubeObject;
  readonly summary: PodSummary;
  readonly events: readonly PodEvent[];
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
  readonly now: number;
}

/** Events of one pod that are read. */
const maxEvents = 500;

/** Describes a pod. */
export function describePod(clusters: Clusters): Tool {
  return defineTool({
    name: "describe_pod",
    title: "Describe a pod",
    description:
      "A diagnosis of one pod with its evidence (crash loop, image pull, OOM, unschedulable, probes, missing " +
      "ConfigMap, Secret or claim, stuck deletion), then all of kubectl describe pod.",
    input,
    output,
    async run(args, { signal }): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const namespace = resolveScope(cluster, args) ?? cluster.defaultNamespace;
      const { pods, note } = await findPods(cluster, namespace, args.pod_name, signal);
      const [pod] = pods;
      if (pod === undefined) {
        throw new CallError("not_found", `Cannot find pod ${args.pod_name} in namespace ${namespace}`);
      }
      const now = Date.now();
      const notes = note === undefined ? [] : [note];
      const summary = readPod(pod, now);
      const events = await readPodEvents(cluster, pod, notes, signal);
      const around: Surroundings = {
        events,
        node: summary.healthy ? undefined : await readNode(cluster, pod, signal),
        unboundClaims: summary.healthy ? [] : await readClaims(cluster, pod, signal),
      };
      const findings = diagnose(pod, summary, around, now);
      return { context: cluster.context, pod, summary, events, findings, notes, now };
    },
    present: (found, budget) => present(found, budget),
  });
}

async function readPodEvents(
  cluster: Cluster,
  pod: KubeObject,
  notes: string[],
  signal: AbortSignal,
): Promise<readonly PodEvent[]> {
  const namespace = textField(pod, "metadata", "namespace");
  // A static pod's mirror has another uid than the pod that its events are about.
  const uid = textField(pod, "metadata", "annotations", "kubernetes.io/config.mirror") ??
    textField(pod, "metadata", "uid");
  try {
    const { items } = await cluster.listAll(eventType, namespace, {
      signal,
      maxItems: maxEvents,
      fieldSelector: `involvedObject.name=${textField(pod, "metadata", "name")},involvedObject.uid=${uid}`,
    });
    return items
      .map((item): PodEvent => ({
        ...readEvent(item),
        from: textField(item, "source", "component") ?? textField(item, "reportingComponent") ?? "",
        path: textField(item, "involvedObject", "fieldPath"),
      }))
      .sort((a, b) => (a.last ?? 0) - (b.last ?? 0));
  } catch (error) {
    if (!(error instanceof CallError) || signal.aborted) throw error;
    notes.push(`Its events can't be seen: ${error.message}.`);
    return [];
  }
}

/** The state of the pod's node; undefined where it can't be seen: a diagnosis does without. */
async function readNode(
  cluster: Cluster,
  pod: KubeObject,
  signal: AbortSignal,
): Promise<Surroundings["node"]> {
  const name = textField(pod, "spec", "nodeName");
  if (name === undefined) return undefined;
  try {
    const node = await cluster.get(nodeType, undefined, name, { signal });
    const ready = listField(node, "status", "conditions").find((one) => textField(one, "type") === "Ready");
    return {
      exists: true,
      ready: textField(ready, "status") ?? "Unknown",
      message: textField(ready, "message"),
    };
  } catch (error) {
    if (!(error instanceof CallError) || signal.aborted) throw error;
    return error.kind === "not_found" ? { exists: false, ready: "Unknown", message: undefined } : undefined;
  }
}

/** The pod's volume claims that are not bound, as far as they can be seen. */
async function readClaims(
  cluster: Cluster,
  pod: KubeObject,
  signal: AbortSignal,
): Promise<Surroundings["unboundClaims"]> {
  if (textField(pod, "status", "phase") !== "Pending") return [];
  const namespace = textField(pod, "metadata", "namespace");
  const names = listField(pod, "spec", "volumes").flatMap((volume) => {
    const own = textField(volume, "persistentVolumeClaim", "claimName");
    // The claim of an ephemeral volume is named after the pod and the volume.
    const made = field(volume, "ephemeral") === undefined
      ? undefined
      : `${textField(pod, "metadata", "name")}-${textField(volume, "name")}`;
    return own ?? made ?? [];
  });
  const claims = await Promise.all(
    names.slice(0, 10).map(async (name) => {
      try {
        const claim = await cluster.get(persistentVolumeClaimType, namespace, name, { signal });
        return { name, phase: textField(claim, "status", "phase") ?? "Pending" };
      } catch (error) {
        if (!(error instanceof CallError) || signal.aborted) throw error;
        return error.kind === "not_found" ? { name, phase: undefined } : undefined;
      }
    }),
  );
  return claims.filter((claim) => claim !== undefined).filter(({ phase }) => phase !== "Bound");
}

/** Characters of one line, and events, from generous to scarce. */
const measures: readonly (readonly [line: number, events: number])[] = [
  [4_000, 50],
  [1_000, 25],
  [300, 15],
  [120, 8],
];

function present(found: Found, budget: number): Presentation<z.output<typeof output>> {
  let shortest: Presentation<z.output<typeof output>> | undefined;
  for (const [line, events] of measures) {
    shortest = attempt(found, line, events);
    if (fitsBudget(shortest, budget)) return shortest;
  }
  const least = shortest ?? attempt(found, 120, 8);
  const { context, diagnosis, pod, events } = least.structured;
  const { message: _, ...silentPod } = pod;
  for (let room = budget;; room = Math.floor(room * 0.7)) {
    const findings = leading(diagnosis, Math.floor(room / 2));
    const shownEvents = room < budget / 2 ? [] : events;
    const structured = {
      context,
      diagnosis: [...findings],
      notes: [
        ...(findings.length < diagnosis.length
          ? [`Cut: ${findings.length} of ${plural(diagnosis.length, "problem")} shown.`]
          : []),
        ...(room < budget / 4 ? [] : notesOf(found)),
        ...eventsNote(found, shownEvents.length),
        "The description was cut: describe_resource shows parts of a pod.",
      ],
      pod: room < budget / 2 ? silentPod : pod,
      events: shownEvents,
      description: fit(least.structured.description, Math.floor(room / 2)),
    };
    const answer = { ...least, structured, text: fit(least.text, budget) };
    if (fitsBudget(answer, budget) || room < 64) return answer;
  }
}

/** As many of the first items as take that many characters of JSON. */
function leading<Item>(items: readonly Item[], characters: number): readonly Item[] {
  let left = characters;
  const end = items.findIndex((item) => (left -= JSON.stringify(item).length) < 0);
  return end === -1 ? items : items.slice(0, end);
}

function attempt(found: Found, longest: number, most: number): Presentation<z.output<typeof output>> {
  const { pod, summary, findings, now } = found;
  const cut = (text: string) => {
    const shown = visible(text.slice(0, longest));
    // Spelt out, it may have grown.
    return shown.length <= longest && text.length <= longest
      ? shown
      : `${shown.slice(0, longest)}… (${plural(text.length, "character")})`;
  };
  const events = found.events.slice(-most);
  const left = eventsNote(found, events.length);
  const description = describePodLines(pod, now).map(cut).join("\n");
  const diagnosis = findings.map(({ problem, evidence }) => ({
    problem: cut(problem),
    evidence: evidence.map(cut),
  }));
  const structured = {
    context: found.context,
    diagnosis,
    ...filled({ notes: [...notesOf(found), ...left] }),
    pod: { namespace: summary.namespace, ...podAnswer(summary, now) },
    events: events.map((event) => ({
      type: event.type,
      reason: event.reason,
      ...(event.count > 1 ? { count: event.count, first_seen: kubernetesAge(event.first, now) } : {}),
      last_seen: kubernetesAge(event.last, now),
      from: event.from,
      ...filled({ about: event.path }),
      message: cut(event.message),
    })),
    description,
  };
  const text = [
    headingText(found),
    ...diagnosis.flatMap(({ problem, evidence }) => [`- ${problem}`, ...evidence.map((one) => `    ${one}`)]),
    ...found.notes.map((note) => visible(note)),
    ...left,
    "",
    description,
    ...eventLines(events, now, cut),
  ].join("\n");
  return { text, structured, rows: 1 };
}

/** The structured form has no heading that says that nothing was found. */
function notesOf(found: Found): readonly string[] {
  return [
    ...(found.findings.length === 0 ? [wellText(found)] : []),
    ...found.notes.map((note) => visible(note)),
  ];
}

/** Which of the events are left out, if any are. */
function eventsNote({ events }: Found, shown: number): readonly string[] {
  if (shown === events.length) return [];
  return [
    `${
      shown === 0 ? "None" : `The last ${shown}`
    } of ${events.length} events are shown; get_events shows others.`,
  ];
}

function headingText(found: Found): string {
  const { context, summary, findings, now } = found;
  const ready = `${summary.readyContainers}/${summary.containers} ready`;
  const name =
    `Pod ${summary.namespace}/${summary.name}, context ${context}: ${visible(summary.status)}, ${ready}, ` +
    `${plural(summary.restarts, "restart")}, ${kubernetesAge(summary.created, now)} old.`;
  if (findings.length > 0) return `${name}\nDiagnosis:`;
  return `${name} ${wellText(found)}`;
}

/** What is said where there is no finding. */
function wellText({ summary }: Found): string {
  return summary.healthy ? "Nothing seems to be wrong." : "No cause was found in its state or its events.";
}

/** kubectl's table of events, without the alignment; its times are of the last one, with counts. */
function eventLines(
  events: readonly PodEvent[],
  now: number,
  cut: (text: string) => string,
): readonly string[] {
  if (events.length === 0) return ["Events: <none>"];
  return [
    "Events:",
    "  Type Reason Age From Message",
    ...events.map((event) => {
      const span = event.count > 1 && event.first !== undefined
        ? ` (x${event.count} over ${humanDuration(now - event.first)})`
        : "";
      const path = event.path === undefined ? "" : `${event.path}: `;
      return cut(
        `  ${event.type} ${event.reason} ${
          kubernetesAge(event.last, now)
        }${span} ${event.from} ${path}${event.message}`,
      );
    }),
  ];
}
