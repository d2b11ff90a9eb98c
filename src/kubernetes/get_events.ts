/** Tool `get_events`: what happened lately, warnings first, each thing once. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Cluster, Clusters } from "./api.ts";
import { eventAnswer, eventLine, eventShape } from "./event_text.ts";
import { type EventGroup, foldEvents } from "./events.ts";
import { refuseMissing } from "./find_pods.ts";
import type { ResourceType } from "./paths.ts";
import { readEvents } from "./read_events.ts";
import { elsewhereText, noteField } from "./extent.ts";
import { resolveScope, scopeAnswer, scopeInput, scopeShape, scopeText } from "./scope.ts";

const input = z.strictObject({
  ...scopeInput,
  for: z.string().max(400).optional().describe(
    "Only of this object: pod/web-1, deployment/web, or a bare name",
  ),
  type: z.enum(["Warning", "Normal"]).optional(),
  limit: z.int().min(1).max(500).default(30),
});

const output = z.object({
  ...scopeShape,
  for: z.string().optional(),
  total: z.number().describe("After folding"),
  warnings: z.number().describe("Of these"),
  shown: z.number(),
  events_read: z.number().describe("Before folding"),
  unread: z.boolean().describe("There are more events than were read"),
  note: z.string().optional(),
  events: z.array(eventShape).describe("Warnings first, then the latest; what says the same is folded"),
});

interface Found {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly about: string | undefined;
  readonly groups: readonly EventGroup[];
  readonly limit: number;
  readonly read: number;
  readonly more: number | "unknown";
  readonly note: string | undefined;
  readonly now: number;
}

/** Lists events. */
export function getEvents(clusters: Clusters): Tool {
  return defineTool({
    name: "get_events",
    title: "Events",
    description:
      "Events of a namespace or of one object: warnings first, repeated ones folded with counts and last seen.",
    input,
    output,
    async run({ for: about, type, limit, ...args }, { signal }): Promise<Found> {
      const cluster = clusters.cluster(args.context);
      const { type: kind, name } = about === undefined ? {} : await involved(cluster, about, signal);
      // Events of what is in no namespace are kept in this one.
      const unscoped = kind?.namespaced === false && args.namespace === undefined &&
        args.all_namespaces !== true;
      const namespace = unscoped ? "default" : resolveScope(cluster, args);
      const object = { kind: kind?.kind, name };
      const { events, more } = await readEvents(cluster, namespace, { signal, type, ...object });
      const note = events.length === 0 && !unscoped
        ? await refuseMissing(cluster, namespace, "events", signal)
        : undefined;
      const groups = foldEvents(events);
      return {
        context: cluster.context,
        namespace,
        about,
        groups,
        limit,
        read: events.length,
        more,
        note,
        now: Date.now(),
      };
    },
    present(found, budget) {
      return largestThatFits(Math.min(found.limit, found.groups.length), (shown) => ({
        text: render(found, shown),
        structured: structuredOf(found, shown),
        rows: shown,
      }), budget);
    },
  });
}

/** `pod/web-1` or `web-1`. */
async function involved(
  cluster: Cluster,
  about: string,
  signal: AbortSignal,
): Promise<{ readonly type?: ResourceType; readonly name: string }> {
  const [, kind, name] = /^(?:([^/]+)\/)?([^/,=!\\]+)$/.exec(about.trim()) ?? [];
  if (name === undefined) {
    throw new CallError(
      "invalid",
      "Cannot read this object's events as its form is neither kind/name nor a name",
      {
        hint: "give for as pod/web-1 or as web-1",
      },
    );
  }
  return kind === undefined ? { name } : { type: await cluster.type(kind, { signal }), name };
}

function structuredOf(found: Found, shown: number): z.output<typeof output> {
  const { groups, now, more } = found;
  const none = groups.length === 0;
  return {
    ...scopeAnswer(found),
    ...(found.about === undefined ? {} : { for: found.about }),
    total: groups.length,
    warnings: warningsOf(groups),
    shown,
    events_read: found.read,
    unread: more !== 0,
    ...noteField(
      none ? forgets : undefined,
      none ? elsewhereText(found) : undefined,
      found.note,
      none ? undefined : cutText(found, shown),
    ),
    events: groups.slice(0, shown).map((event) =>
      eventAnswer(event, now, { object: true, namespace: found.namespace === undefined })
    ),
  };
}

const forgets = "The apiserver forgets events after a while, by default an hour.";

function warningsOf(groups: readonly EventGroup[]): number {
  return groups.filter(({ type }) => type !== "Normal").length;
}

/** What is not shown, and how to see it; undefined where all is. */
function cutText({ groups, more }: Found, shown: number): string | undefined {
  const how = "Narrow it with for, type or namespace, or raise limit.";
  if (more !== 0) {
    const unread = more === "unknown" ? "more" : count(more);
    return `Cut: ${count(shown)} shown of those read; ${unread} events were not read. ${how}`;
  }
  return shown < groups.length ? `Cut: ${count(shown)} of ${count(groups.length)} shown. ${how}` : undefined;
}

function render(found: Found, shown: number): string {
  const { groups, namespace, about, now, read } = found;
  const of = about === undefined ? "" : ` of ${visible(about)}`;
  const place = `${of} in ${scopeText(namespace)}, context ${found.context}`;
  if (groups.length === 0) {
    const notes = found.note === undefined ? [] : [visible(found.note)];
    return [`No events${place}. ${forgets} ${elsewhereText(found)}`.trimEnd(), ...notes].join("\n");
  }
  const warnings = warningsOf(groups);
  const folded = read === groups.length ? "" : `, folded from ${count(read)}`;
  const lines = [
    `${plural(groups.length, "event")}${place}: ${
      warnings === 0 ? "no warnings" : `${plural(warnings, "warning")} first`
    }${folded}; ages are since the last occurrence.`,
    ...groups.slice(0, shown).map((event) =>
      eventLine(event, now, { object: true, namespace: namespace === undefined })
    ),
  ];
  const cut = cutText(found, shown);
  if (cut !== undefined) lines.push("", `[${cut}]`);
  return lines.join("\n");
}
