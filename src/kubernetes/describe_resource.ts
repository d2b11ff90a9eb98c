/** Tool `describe_resource`: one object of any kind, with its conditions and its events. */
import * as z from "zod";
import { couldNotAnswer } from "../common/errors.ts";
import { fitsBudget, largestThatFits } from "../common/largest_that_fits.ts";
import { filled } from "../common/structured.ts";
import { defineTool, type Presentation, type Tool, type ToolContext } from "../common/tool.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters, KubeObject } from "./api.ts";
import { type Condition, factsOf, readConditions } from "./conditions.ts";
import { describePod } from "./describe_pod.ts";
import { eventAnswer, eventLine, eventShape } from "./event_text.ts";
import { type EventGroup, foldEvents } from "./events.ts";
import { timeField } from "./fields.ts";
import { tellDeployment } from "./get_deployments.ts";
import { tellNode } from "./get_nodes.ts";
import { tellService } from "./get_services.ts";
import { qualified } from "./list_resources.ts";
import { namedObject } from "./named_object.ts";
import type { ResourceType } from "./paths.ts";
import { kubernetesAge } from "./kubernetes_age.ts";
import { readEvents } from "./read_events.ts";
import { contextInput, namespaceInput, resolveScope, scopeText } from "./scope.ts";

/** Events told of one object. */
const maxEvents = 10;
/** Characters of a condition's message. */
const maxMessage = 500;

const input = z.strictObject({
  kind: z.string().min(1).max(253).describe(
    "As kubectl takes it: deploy, cronjobs.batch, a CRD's plural",
  ),
  name: z.string().min(1).max(253),
  namespace: namespaceInput,
  context: contextInput,
  path: z.string().min(1).max(500).optional().describe('Only this part: spec.template.spec, data["a.b"]'),
});

const output = z.object({
  context: z.string(),
  resource: z.string().describe("With its group"),
  namespace: z.string().optional(),
  name: z.string(),
  age: z.string().optional(),
  facts: z.array(z.string()).optional().describe("What controls it, whether it is being deleted"),
  verdict: z.string().optional().describe("For kinds with a tool of their own, what that says"),
  notes: z.array(z.string()).optional().describe("What was not seen, or not shown"),
  conditions: z.array(z.object({
    type: z.string(),
    status: z.string(),
    reason: z.string().optional(),
    message: z.string().optional(),
    since: z.string().describe("Age"),
  })).optional(),
  events: z.array(eventShape).optional(),
  manifest_lines: z.number().optional().describe("Of the whole manifest"),
  manifest: z.string().optional().describe("YAML, the status first, secrets masked"),
});

interface Found {
  readonly context: string;
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly created: number | undefined;
  readonly facts: readonly string[];
  readonly lead: ((budget: number) => string) | undefined;
  /** Undefined where they were not looked at. */
  readonly conditions: readonly Condition[] | undefined;
  readonly events: readonly EventGroup[] | undefined;
  /** Why events are missing. */
  readonly unseen: string | undefined;
  readonly manifest: string;
  readonly now: number;
}

/**
 * What the tool of a kind says of an object of it. It is given the object: read twice, one answer could say two things
 * of it.
 */
const leads: Readonly<
  Record<
    string,
    (cluster: Cluster, object: KubeObject, signal: AbortSignal) => Promise<(budget: number) => string>
  >
> = {
  "deployments.apps": tellDeployment,
  "services": tellService,
  "nodes": tellNode,
};

/** Describes one object; where its kind has a tool of its own, that has the first word. */
export function describeResource(clusters: Clusters): Tool {
  const pods = describePod(clusters);
  return defineTool({
    name: "describe_resource",
    title: "Describe any object",
    description:
      "One object of any kind: state, conditions, events, and its YAML without secrets; where get_deployments, " +
      "get_services or describe_pod applies, also what it says.",
    input,
    output,
    async run({ kind, name, path, ...args }, context): Promise<Found> {
      const { signal } = context;
      const { manifest, manifestPart } = await import("./manifest.ts");
      const cluster = clusters.cluster(args.context);
      const type = await cluster.type(kind, { signal });
      const namespace = type.namespaced ? resolveScope(cluster, args) : undefined;
      if (path === undefined && qualified(type) === "pods") {
        // It says all that there is, the events too.
        const said = await podText(pods, name, { ...args, namespace }, context);
        return { ...bare(cluster, type, namespace, name), lead: said };
      }
      const object = await namedObject(cluster, type, namespace, name, { signal });
      if (path !== undefined) {
        return { ...bare(cluster, type, namespace, name), manifest: manifestPart(object, path) };
      }
      const [{ events, unseen }, said] = await Promise.all([
        eventsOf(cluster, type, namespace, name, signal),
        leads[qualified(type)]?.(cluster, object, signal),
      ]);
      return {
        ...bare(cluster, type, namespace, name),
        created: timeField(object, "metadata", "creationTimestamp"),
        facts: factsOf(object),
        lead: said === undefined ? undefined : (budget) => belowHeading(said(budget)),
        conditions: readConditions(object),
        events: unseen === undefined ? foldEvents(events) : undefined,
        unseen,
        manifest: manifest(object, { countsTold: qualified(type) === "deployments.apps" }),
      };
    },
    present(found, budget) {
      const lines = found.manifest === "" ? [] : found.manifest.split("\n");
      const make = (share: number) => {
        const lead = found.lead?.(Math.floor(budget * share));
        const about = { ...found, conditions: found.conditions?.slice(0, share < 0.5 ? 5 : 20) };
        const events = found.events?.slice(0, share < 0.5 ? 3 : maxEvents);
        return largestThatFits(lines.length, (shown) => presented(about, events, lead, lines, shown), budget);
      };
      // In JSON a text with many quotes takes more than its own length.
      const generous = make(0.7);
      return fitsBudget(generous, budget) ? generous : make(0.2);
    },
  });
}

function presented(
  found: Found,
  events: readonly EventGroup[] | undefined,
  lead: string | undefined,
  lines: readonly string[],
  shown: number,
): Presentation<z.output<typeof output>> {
  const { namespace, created, facts, conditions, now } = found;
  const part = lines.slice(0, shown).join("\n");
  const missing = lines.length - shown;
  const more = moreEvents(found, events);
  const notes = [
    ...(found.unseen === undefined ? [] : [unseenText(found.unseen)]),
    ...(more > 0 ? [`${count(more)} more events are not shown (get_events).`] : []),
    ...(missing > 0 ? [cutText(missing)] : []),
  ];
  return {
    text: render(found, events ?? [], lead, part, missing),
    structured: {
      context: found.context,
      resource: qualified(found.type),
      ...filled({ namespace }),
      name: found.name,
      ...filled({
        age: created === undefined ? undefined : kubernetesAge(created, now),
        facts: [...facts],
        verdict: lead,
        notes,
      }),
      ...(conditions === undefined ? {} : {
        conditions: conditions.map(({ type, status, reason, message, since }) => ({
          type,
          status,
          ...filled({ reason, message: message?.slice(0, maxMessage) }),
          since: kubernetesAge(since, now),
        })),
      }),
      ...(events === undefined ? {} : {
        events: events.map((event) => eventAnswer(event, now, { object: false, namespace: false })),
      }),
      ...(lines.length === 0 ? {} : { manifest_lines: lines.length, manifest: part }),
    },
    rows: 1,
  };
}

function moreEvents(found: Found, shown: readonly EventGroup[] | undefined): number {
  return (found.events?.length ?? 0) - (shown?.length ?? 0);
}

function unseenText(why: string): string {
  return `Events were not seen: ${why}.`;
}

function cutText(missing: number): string {
  return `Cut: ${count(missing)} lines of the object left out. Ask for a part with path.`;
}

function bare(cluster: Cluster, type: ResourceType, namespace: string | undefined, name: string): Found {
  return {
    context: cluster.context,
    type,
    namespace,
    name,
    created: undefined,
    facts: [],
    lead: undefined,
    conditions: undefined,
    events: undefined,
    unseen: undefined,
    manifest: "",
    now: Date.now(),
  };
}

/** A list of one object without its heading, which says what the title of the whole has said. */
function belowHeading(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? text : text.slice(end).trimStart();
}

async function podText(
  tool: Tool,
  name: string,
  { context: chosen, namespace }: { context?: string | undefined; namespace: string | undefined },
  context: ToolContext,
): Promise<(budget: number) => string> {
  const value = await tool.run(
    tool.input.parse({
      pod_name: name,
      ...(chosen === undefined ? {} : { context: chosen }),
      ...(namespace === undefined ? {} : { namespace }),
    }),
    context,
  );
  return (budget) => tool.present(value, budget).text;
}

async function eventsOf(
  cluster: Cluster,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly events: Parameters<typeof foldEvents>[0]; readonly unseen: string | undefined }> {
  try {
    // Events of what is in no namespace are kept in this one.
    const { events } = await readEvents(cluster, namespace ?? "default", { signal, kind: type.kind, name });
    return { events, unseen: undefined };
  } catch (error) {
    if (!couldNotAnswer(error)) throw error;
    return { events: [], unseen: error.message };
  }
}

function render(
  found: Found,
  events: readonly EventGroup[],
  lead: string | undefined,
  part: string,
  missing: number,
): string {
  const { type, name, namespace, now, conditions = [] } = found;
  const place = type.namespaced ? ` in ${scopeText(namespace)}` : "";
  const age = found.created === undefined ? "" : `, ${kubernetesAge(found.created, now)} old`;
  const lines = [
    visible([`${type.kind} ${name}${place}, context ${found.context}${age}`, ...found.facts].join("; ")),
  ];
  if (lead !== undefined) lines.push("", lead);
  if (conditions.length > 0) {
    lines.push("", "Conditions:");
    for (const { type, status, reason, message, since } of conditions) {
      const span = since === undefined ? "" : ` for ${kubernetesAge(since, now)}`;
      const why = [reason, message].filter((part) => part !== undefined).join(": ")
        .slice(0, maxMessage);
      lines.push(visible(`- ${type} ${status}${span}${why === "" ? "" : `: ${why}`}`));
    }
  }
  if (events.length > 0) {
    lines.push("", "Events:");
    lines.push(
      ...events.map((event) => `- ${eventLine(event, now, { object: false, namespace: false })}`),
    );
    const more = moreEvents(found, events);
    if (more > 0) lines.push(`- and ${count(more)} more (get_events)`);
  }
  if (found.unseen !== undefined) lines.push("", visible(unseenText(found.unseen)));
  if (part !== "") lines.push("", part);
  if (missing > 0) lines.push(`[${cutText(missing)}]`);
  return lines.join("\n");
}
