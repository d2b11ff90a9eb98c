/** Finds the series of a service by the name that people have for it. */
import { CallError } from "../common/errors.ts";
import { nearest } from "../common/nearest.ts";
import { shortened } from "../common/shortened.ts";
import { plural } from "../common/units.ts";
import { utf8Length } from "../common/utf8.ts";
import { visible } from "../common/visible.ts";
import type { Asking } from "./asking.ts";
import { knownMetricsRegex, requestCounters } from "./instrumentation.ts";
import { oneLine } from "./one_line.ts";
import { escapeRegex, type Matcher, selector } from "./promql_literal.ts";
import { serviceLabels } from "./service_labels.ts";
import { durationSeconds } from "./time.ts";
import { unreachedStores } from "./stores.ts";

/** A way to pick the series of a service. */
export interface Pick {
  readonly matchers: readonly Matcher[];
  /** As PromQL has it: `job="api"`. */
  readonly text: string;
  /** Series, of known metrics or of all. */
  readonly series: number;
}

/** A service that was found. */
export interface Service extends Pick {
  readonly name: string;
  /** Its known metrics, with how many series each has. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Other labels that have the same value. */
  readonly others: readonly Pick[];
  /** Those of them that are something else, as far as their metrics tell. */
  readonly rivals?: readonly Pick[];
  /** Those of these whose every instance is down, and that may be the service itself. */
  readonly down?: readonly Pick[];
  /** What the caller should know about the choice; sentences without a full stop. */
  readonly notes: readonly string[];
  /** Epoch seconds of its last sample, when it has none now. */
  readonly goneSince?: number;
}

/** Labels beside those that alerts have, in the order in which they are believed. */
const labels: readonly string[] = [
  ...serviceLabels,
  "k8s_deployment_name",
  "k8s_container_name",
  "destination_canonical_service",
  "exported_job",
  "exported_service",
  "ingress",
  "envoy_cluster_name",
  "component",
];
/** Labels whose values are offered when a service is not found. */
const namingLabels = labels.slice(0, 12);
const namesAskedFor = 10_000;
/** How far back a service is looked for that has no sample now. */
const lookBack = "1d";
const lookBackSeconds = durationSeconds(lookBack) ?? 0;

/**
 * The service that is called `name`: the value of a usual label, exactly; or `label=value`, several joined by commas, for
 * a choice of one's own. Throws {@linkcode CallError} `not_found` with the nearest names.
 */
export async function findService(asking: Asking, name: string): Promise<Service> {
  const explicit = readPicks(name);
  const candidates = [...byName(name, []), ...(explicit === undefined ? [] : [explicit])];
  const known = await countByMetric(asking, candidates);
  if (known.length > 0) return choose(name, known, await findDown(asking, known));
  const any = await countAll(asking, candidates);
  if (any.length > 0) return choose(name, any);
  const gone = await findGone(asking, candidates);
  if (gone !== undefined) return { ...gone, name };
  throw await notFound(asking, name);
}

type Candidate = Omit<Pick, "series">;
type Found = Pick & {
  readonly metrics: ReadonlyMap<string, number>;
  /** Values of the label that tells apart what several clusters send to one backend. */
  readonly clusters: readonly string[];
  /** Replicas of one Prometheus that each send the same. */
  readonly replicas: number;
};

function byName(name: string, more: readonly Matcher[]): readonly Candidate[] {
  const exact = labels.map((label): Matcher => [label, "=", name]);
  // OpenTelemetry's and the Prometheus operator's `namespace/name`.
  const below: Matcher = ["job", "=~", `.+/${escapeRegex(name)}`];
  return [...exact, below].map((matcher) => candidate([matcher, ...more]));
}

function candidate(matchers: readonly Matcher[]): Candidate {
  return { matchers, text: selector(undefined, matchers).slice(1, -1) };
}

/** `label=value,label=value`; undefined when the name is nothing of that form. */
function readPicks(name: string): Candidate | undefined {
  const matchers: Matcher[] = [];
  for (const part of name.split(",")) {
    const [, label, value] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    if (label === undefined || value === undefined || label === "__name__") return undefined;
    matchers.push([label, "=", /^"(.*)"$/.exec(value)?.[1] ?? value]);
  }
  return candidate(matchers);
}

/** Where the candidates stand in one query's answer. */
const marker = "found_by";

/** Which candidates have known metrics, and which ones. */
async function countByMetric(asking: Asking, candidates: readonly Candidate[]): Promise<readonly Found[]> {
  return await countCandidates(asking, candidates, ({ matchers }) => {
    const series = selector(undefined, [...matchers, ["__name__", "=~", `up|${knownMetricsRegex}`]]);
    return `count by (__name__, cluster, prometheus_replica) (${series})`;
  });
}

/** Which candidates have any series at all. */
async function countAll(asking: Asking, candidates: readonly Candidate[]): Promise<readonly Found[]> {
  return await countCandidates(
    asking,
    candidates,
    ({ matchers }) => `count(${selector(undefined, matchers)})`,
  );
}

/** Bytes of one query: VictoriaMetrics takes 16,384. */
const longestQuery = 15_000;

/** As few queries as are short enough. */
function joined(branches: readonly string[]): readonly string[] {
  const queries: string[] = [];
  for (const branch of branches) {
    const both = `${queries.at(-1)} or ${branch}`;
    if (queries.length > 0 && utf8Length(both) <= longestQuery) queries.splice(-1, 1, both);
    else queries.push(branch);
  }
  return queries;
}

async function countCandidates(
  { api, time, signal }: Asking,
  candidates: readonly Candidate[],
  counting: (candidate: Candidate) => string,
): Promise<readonly Found[]> {
  const branches = candidates.map((candidate, index) =>
    `label_replace(${counting(candidate)}, "${marker}", "${index}", "", "")`
  );
  const answers = await Promise.all(joined(branches).map((query) => api.query(query, time, { signal })));
  const series = answers.flatMap((answer) => answer.series);
  return candidates.flatMap((pick, index) => {
    const mine = series.filter(({ metric }) => metric[marker] === String(index));
    const metrics = new Map<string, number>();
    for (const { metric: { __name__: name }, value } of mine) {
      if (name !== undefined) metrics.set(name, (metrics.get(name) ?? 0) + Number(value?.[1]));
    }
    const replicas = new Set(mine.flatMap(({ metric }) => metric.prometheus_replica || [])).size;
    const clusters = [...new Set(mine.flatMap(({ metric }) => metric.cluster || []))].sort();
    const total = mine.reduce((sum, { value }) => sum + Number(value?.[1]), 0);
    return mine.length === 0 ? [] : [{ ...pick, metrics, clusters, replicas, series: total }];
  });
}

/**
 * Those that count no requests and whose every instance is down. Where others count requests, these may be the service
 * itself: what is down counts nothing any more, while what calls it still counts by its name.
 */
async function findDown(
  { api, time, signal }: Asking,
  found: readonly Found[],
): Promise<ReadonlySet<Found>> {
  if (!found.some((one) => rank(one) === 0)) return new Set();
  const scraped = found.filter((one) => rank(one) === 1);
  const branches = scraped.map(({ matchers }, index) =>
    `label_replace(max(${selector("up", matchers)}) == 0, "${marker}", "${index}", "", "")`
  );
  const answers = await Promise.all(joined(branches).map((query) => api.query(query, time, { signal })));
  const down = new Set(answers.flatMap(({ series }) => series.map(({ metric }) => metric[marker])));
  return new Set(scraped.filter((_, index) => down.has(String(index))));
}

/** What can be judged comes first: requests before a mere `up`, and that before nothing known. */
function rank({ metrics }: Found): number {
  return requestCounters(metrics).length > 0 ? 0 : metrics.has("up") ? 1 : 2;
}

/** The first by rank, then by the order of labels; of the others, those in `down` are no mere other name for it. */
function choose(name: string, found: readonly Found[], down: ReadonlySet<Found> = new Set()): Service {
  const [first, ...others] = found.toSorted((a, b) => rank(a) - rank(b));
  if (first === undefined) throw new Error("Cannot choose among no candidates");
  // The same metrics with the same numbers of series: another name for the same.
  const rivals = others.filter((other) =>
    down.has(other) || (rank(other) === rank(first) && !sameMetrics(first, other))
  );
  const notes = rivals.length === 0 ? [] : [
    `ambiguous: ${
      rivals.map((rival) =>
        `${rival.text} (${plural(rival.series, "series", "series")}${down.has(rival) ? ", all down" : ""})`
      ).join(", ")
    } ` +
    "is something else of that name; ask with label=value to choose",
  ];
  return {
    ...first,
    name,
    others,
    rivals,
    down: others.filter((other) => down.has(other)),
    notes: [...notes, ...clustersNote(first), ...replicasNote(first)],
  };
}

function replicasNote({ replicas }: Found): readonly string[] {
  return replicas < 2 ? [] : [
    `${replicas} replicas of one Prometheus (prometheus_replica) are counted together: rates are their sum`,
  ];
}

function clustersNote({ text, matchers, clusters }: Found): readonly string[] {
  const [first] = clusters;
  if (first === undefined || clusters.length < 2) return [];
  const named = clusters.slice(0, 5).join(", ") + (clusters.length > 5 ? ", …" : "");
  const isExact = matchers.every(([, operator]) => operator === "=");
  const one = isExact ? `; ask with ${text.replaceAll('"', "")},cluster=${oneLine(first, 100)} for one` : "";
  return [`the figures are of ${clusters.length} clusters together (${oneLine(named, 200)})${one}`];
}

function sameMetrics(one: Found, other: Found): boolean {
  return one.metrics.size === other.metrics.size &&
    [...one.metrics].every(([metric, series]) => other.metrics.get(metric) === series);
}

/** A service that had samples within the last day. */
async function findGone(
  { api, time, signal }: Asking,
  candidates: readonly Candidate[],
): Promise<Omit<Service, "name"> | undefined> {
  const matchers = candidates.map((pick) => selector(undefined, pick.matchers));
  const range = { start: time - lookBackSeconds, end: time };
  const { series } = await api.series(matchers, range, { signal, limit: 1_000 });
  for (const pick of candidates) {
    const mine = series.filter((labels) => matches(labels, pick.matchers));
    const metric = mine.find(({ __name__ }) => __name__ === "up")?.__name__ ?? mine[0]?.__name__;
    if (metric === undefined) continue;
    const last = `max(max_over_time(timestamp(${selector(metric, pick.matchers)})[${lookBack}:1m]))`;
    const seen = Number((await api.query(last, time, { signal })).series[0]?.value?.[1]);
    // A block that overlaps the day may hold series that ended before it.
    if (!Number.isFinite(seen)) continue;
    return { ...pick, series: mine.length, metrics: new Map(), others: [], notes: [], goneSince: seen };
  }
  return undefined;
}

function matches(labels: Readonly<Record<string, string>>, matchers: readonly Matcher[]): boolean {
  return matchers.every(([label, operator, value]) =>
    operator === "=" ? labels[label] === value : new RegExp(`^(?:${value})$`, "s").test(labels[label] ?? "")
  );
}

async function notFound({ api, time, signal, heard }: Asking, name: string): Promise<CallError> {
  const range = { start: time - 3600, end: time };
  const answers = await Promise.all(namingLabels.map(async (label) => {
    const { values } = await api.labelValues(label, [], range, { signal, limit: namesAskedFor });
    return values.filter((value) => value !== "").map((value) => [value, label] as const);
  }));
  const warnings = [...heard().warnings, ...await unreachedStores(api, { signal })];
  const labelOf = new Map(answers.flat().reverse());
  const shown = JSON.stringify(visible(shortened(name, 100)));
  const like = nearest(name, labelOf.keys(), 5);
  const list = (names: readonly string[]) =>
    names.map((each) => `${visible(each.slice(0, 100))} (${labelOf.get(each)})`).join(", ");
  const jobs = [...labelOf].filter(([, label]) => label === "job").map(([value]) => value).reverse();
  const hint = like.length > 0
    ? `did you mean ${list(like)}?`
    : jobs.length > 0
    ? `there are ${plural(jobs.length, "job")}: ${list(jobs.slice(0, 10))}${jobs.length > 10 ? " …" : ""}`
    : "no series has a job, service or app label now; list_targets says what is scraped";
  const missing =
    `Cannot find a service named ${shown}: no job, service, app or similar label has that value`;
  // An answer that is not whole does not show that there is none.
  return warnings.length === 0 ? new CallError("not_found", missing, { hint }) : new CallError(
    "unavailable",
    `${missing} in what came, and not all may have come: Prometheus warns: ${
      oneLine(warnings.join("; "), 300)
    }`,
    { hint: `try again later; ${hint}` },
  );
}
