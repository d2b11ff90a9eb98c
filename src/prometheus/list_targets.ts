/** Tool `list_targets`: what Prometheus scrapes, and why it can't where it can't. */
import * as z from "zod";
import { fitsBudget, largestThatFits } from "../common/largest_that_fits.ts";
import { nearest } from "../common/nearest.ts";
import { filled } from "../common/structured.ts";
import { table } from "../common/table.ts";
import { defineTool, type Tool, type ToolContext } from "../common/tool.ts";
import { age, count, duration, plural, significant } from "../common/units.ts";
import type { PrometheusApi } from "./api.ts";
import { labelsText, oneLine } from "./one_line.ts";
import type { Target } from "./result.ts";
import { servicesOf } from "./service_labels.ts";
import {
  downFirst,
  droppedCounts,
  type Health,
  healthOf,
  isOfService,
  kindsOfError,
  poolsOf,
  readTargets,
} from "./targets.ts";

const input = z.strictObject({
  state: z.enum(["up", "down", "unknown", "all"]).default("all"),
  service: z.string().min(1).max(500).optional().describe("Its job, service or app"),
  pool: z.string().min(1).max(500).optional().describe("job_name of the scrape configuration"),
  limit: z.int().min(1).max(1000).default(20),
});

const target = z.object({
  health: z.string(),
  pool: z.string(),
  job: z.string().optional().describe("Where it is not the pool's name"),
  instance: z.string(),
  labels: z.string().optional().describe("Others than job and instance"),
  error: z.string().optional(),
  scraped: z.string().optional().describe("How long ago; absent: never, or not reported"),
  scrape_seconds: z.number().optional().describe("How long that took"),
  interval: z.string().optional(),
});
type TargetAnswer = z.output<typeof target>;

const pool = z.object({
  pool: z.string(),
  up: z.number(),
  down: z.number(),
  unknown: z.number(),
  dropped: z.number().optional().describe("By relabelling"),
});
type Pool = z.output<typeof pool>;

const output = z.object({
  down: z.number().describe("Targets of the service and pool, if given, whatever their state"),
  up: z.number(),
  unknown: z.number().optional().describe("Not scraped yet"),
  dropped: z.number().nullable().optional().describe("By relabelling, never scraped; null: not reported"),
  total: z.number().describe("Targets that match"),
  shown: z.number(),
  nearest: z.array(z.string()).optional(),
  notes: z.array(z.string()).optional(),
  errors: z.array(z.object({ error: z.string(), targets: z.number() })).optional()
    .describe("Where more are down than are listed: the errors, without their addresses"),
  pools_total: z.number().optional().describe("Where not all of them are shown"),
  pools: z.array(pool).optional().describe("Where not all targets are shown, or some were dropped"),
  targets: z.array(target).describe("Down first; those that are up only where they are few or asked for"),
});
type Answer = z.output<typeof output>;

/** Above so many, targets that are up are counted by pool and not listed, unless they are asked for. */
const fewTargets = 20;
/** Pools in one answer; those with a target that is not up come first. */
const maxPools = 40;

/** Kinds of error in one answer. */
const maxErrors = 5;

/** What is to be shown. */
interface Found {
  readonly counts: Pick<Answer, "down" | "up" | "unknown" | "dropped" | "total" | "errors" | "nearest">;
  readonly notes: readonly string[];
  readonly pools: readonly Pool[];
  readonly targets: readonly TargetAnswer[];
  readonly wanted: string;
  /** Targets that are up and only counted. */
  readonly counted: number;
  readonly limit: number;
}

/** Lists scrape targets. */
export function listTargets(api: PrometheusApi, now: () => number = Date.now): Tool {
  return defineTool({
    name: "list_targets",
    title: "List scrape targets",
    description:
      "Whether Prometheus can scrape its targets: counts by pool, and those that are down, with their error. Down means a failed scrape; a service that is up may still fail its requests.",
    input,
    output,
    run: (args, context) => find(api, args, context, now()),
    present(found: Found, budget) {
      const shown = Math.min(found.targets.length, found.limit);
      const make = (shown: number, summed = maxPools) => {
        const structured = answerOf(found, shown, summed);
        return { text: render(found, structured), structured, rows: shown };
      };
      const most = largestThatFits(shown, make, budget);
      // What sums up the targets that are not listed may be too much by itself.
      return fitsBudget(most, budget) ? most : largestThatFits(maxPools, (summed) => make(0, summed), budget);
    },
  });
}

/** `summed`: the most pools, and kinds of errors, that are told. */
function answerOf(found: Found, shown: number, summed: number): Answer {
  const { pools, counts: { errors, nearest, ...counts } } = found;
  const hasPools = (pools.length > 1 && counts.total > shown) || (counts.dropped ?? 0) > 0;
  return {
    ...counts,
    shown,
    ...filled({
      nearest,
      notes: [
        ...cutOf(found, shown),
        ...upOnly(found),
        ...noneOf(found),
        ...found.notes,
      ],
      errors: errors?.slice(0, summed),
      pools_total: hasPools && pools.length > summed ? pools.length : undefined,
      pools: hasPools ? pools.slice(0, summed) : [],
    }),
    targets: found.targets.slice(0, shown),
  };
}

async function find(
  api: PrometheusApi,
  { state, service, pool, limit }: z.output<typeof input>,
  { signal }: ToolContext,
  now: number,
): Promise<Found> {
  const [{ active, notes }, dropped] = await Promise.all([
    readTargets(api, signal),
    droppedCounts(api, signal),
  ]);
  const concerned = active.filter((target) =>
    (pool === undefined || target.scrapePool === pool) &&
    (service === undefined || isOfService(target, service))
  );
  const chosen = concerned.filter((target) => state === "all" || healthOf(target) === state);
  const few = chosen.length <= fewTargets || state === "up" || service !== undefined || pool !== undefined;
  const listed = few ? chosen : chosen.filter((target) => healthOf(target) !== "up");
  const droppedHere = service === undefined && dropped !== undefined
    ? Object.entries(dropped).filter(([name]) => pool === undefined || name === pool)
    : undefined;
  const pools = poolsOf(concerned, new Map(droppedHere));
  const inState = (health: Health) => concerned.filter((target) => healthOf(target) === health).length;
  const kinds = kindsOfError(listed).slice(0, maxErrors);
  const names = concerned.length > 0 ? [] : [
    ...service === undefined ? [] : nearest(service, active.flatMap(({ labels }) => servicesOf(labels))),
    ...pool === undefined ? [] : nearest(pool, active.map(({ scrapePool }) => scrapePool)),
  ];
  return {
    counts: {
      down: inState("down"),
      up: inState("up"),
      ...filled({
        unknown: inState("unknown") || undefined,
        dropped: droppedHere?.reduce((sum, [, number]) => sum + number, 0) || undefined,
      }),
      ...(dropped === undefined ? { dropped: null } : {}),
      total: chosen.length,
      ...filled({
        errors: listed.length <= limit ? [] : kinds.map(errorKind),
        nearest: [...new Set(names)].slice(0, 5),
      }),
    },
    notes: [
      ...(active.length === 0 && notes.length === 0 ? ["This Prometheus scrapes no target."] : []),
      ...(active.length > 0 && concerned.length === 0
        ? [
          `${plural(active.length, "target")} of other services and pools ${
            active.length === 1 ? "is" : "are"
          } there.`,
        ]
        : []),
      ...notes.map((note) => oneLine(note, 500)),
    ],
    pools,
    targets: listed.sort(downFirst).map((target) => targetAnswer(target, now)),
    wanted: wantedText(state, service, pool),
    counted: chosen.length - listed.length,
    limit,
  };
}

function errorKind({ error, targets }: { readonly error: string; readonly targets: number }) {
  return { error: oneLine(error, 300), targets };
}

function targetAnswer(target: Target, now: number): TargetAnswer {
  const { labels, scrapePool, lastError, lastScrape, lastScrapeSeconds, scrapeInterval } = target;
  const { job = "", instance = "" } = labels;
  const lineOf = (text: string, most: number) => text === "" ? undefined : oneLine(text, most);
  // Go's zero time.
  const wasScraped = lastScrape !== "" && !lastScrape.startsWith("0001-");
  return {
    health: healthOf(target),
    pool: oneLine(scrapePool, 200),
    ...(job === scrapePool || job === "" ? {} : { job: oneLine(job, 200) }),
    instance: oneLine(instance, 200),
    ...filled({
      labels: labelsText(labels, ["job", "instance"]) || undefined,
      error: lineOf(lastError, 500),
      scraped: wasScraped ? age(Date.parse(lastScrape.replace(/\.\d+/, "")), now) : undefined,
      scrape_seconds: wasScraped ? significant(lastScrapeSeconds) : undefined,
      interval: lineOf(scrapeInterval, 40),
    }),
  };
}

function wantedText(state: string, service: string | undefined, pool: string | undefined): string {
  return [
    state === "all" ? "target" : `target that is ${state}`,
    ...(service === undefined ? [] : [`of service ${JSON.stringify(oneLine(service, 100))}`]),
    ...(pool === undefined ? [] : [`in pool ${JSON.stringify(oneLine(pool, 100))}`]),
  ].join(" ");
}

function noneOf({ wanted, counts }: Found): readonly string[] {
  return counts.total === 0 ? [`No ${wanted}.`] : [];
}

function upOnly({ counted }: Found): readonly string[] {
  return counted > 0 ? [`${plural(counted, "target")} up, not listed: state=up or pool lists them.`] : [];
}

function cutOf({ counts, counted, limit }: Found, shown: number): readonly string[] {
  const listed = counts.total - counted;
  const less = shown < limit
    ? "Ask for one pool or service."
    : "Ask for more with limit, or for one pool or service.";
  return shown < listed ? [`Cut: the first ${count(shown)} of ${count(listed)} shown. ${less}`] : [];
}

function render(found: Found, answer: Answer): string {
  const { up, down, unknown = 0, dropped, pools, targets, shown } = answer;
  const counts = [
    `${plural(up + down + unknown, "target")}: ${count(down)} down, ${count(up)} up`,
    ...(unknown > 0 ? [`${count(unknown)} not scraped yet`] : []),
  ].join(", ");
  const droppedText = dropped ? ` Dropped by relabelling: ${count(dropped)}.` : "";
  const names = answer.nearest === undefined
    ? []
    : [`Nearest names: ${answer.nearest.map((name) => oneLine(name, 100)).join(", ")}.`];
  return [
    `${counts}.${droppedText}`,
    ...noneOf(found),
    ...found.notes,
    ...names,
    ...(pools === undefined ? [] : ["", poolTable(pools, found.pools.length)]),
    ...(answer.errors === undefined
      ? []
      : ["", ...answer.errors.map(({ error, targets }) => `${count(targets)} × ${error}`)]),
    ...(targets.length === 0 ? [] : ["", ...targets.map(targetLine)]),
    ...upOnly(found),
    ...cutOf(found, shown).map((notice) => `[${notice}]`),
  ].join("\n");
}

function poolTable(pools: readonly Pool[], all: number): string {
  const withDropped = pools.some((pool) => pool.dropped !== undefined);
  const rows = pools.map(({ pool, up, down, unknown, dropped }) => [
    oneLine(pool, 100),
    ...[up, down, unknown].map((number) => count(number)),
    ...(withDropped ? [count(dropped ?? 0)] : []),
  ]);
  const columns = ["pool", "up", "down", "unknown", ...(withDropped ? ["dropped"] : [])];
  const more = all > pools.length ? `\n${plural(all - pools.length, "more pool")}` : "";
  return table(columns.map((name) => ({ name })), rows, { quotes: false }) + more;
}

function targetLine({ health, pool, job, ...target }: TargetAnswer): string {
  const scraped = target.scraped === undefined
    ? health === "unknown" ? ": never scraped" : ""
    : `: scraped ${target.scraped} in ${duration((target.scrape_seconds ?? 0) * 1000)}`;
  const own = [job === undefined ? "" : `job=${oneLine(job, 100)}`, target.labels ?? ""].filter((part) =>
    part !== ""
  );
  const interval = target.interval === undefined ? "" : `, every ${oneLine(target.interval, 20)}`;
  const error = target.error === undefined ? "" : `\n  ${target.error}`;
  return `${health === "up" ? "up" : health.toUpperCase()} ${oneLine(pool, 100)} ${
    oneLine(target.instance, 200)
  }${own.length === 0 ? "" : ` (${own.join(" ")})`}${scraped}${interval}${error}`;
}
