/** Probes from outside (blackbox_exporter's `probe_success`) of a service: of a job of their own, they name it by a label or an address. */
import type { Asking } from "./asking.ts";
import { type Episode, episodeClause } from "./episode.ts";
import { scrapeInterval, staleAfter } from "./instances.ts";
import { oneLine } from "./one_line.ts";
import { escapeRegex, type Matcher, selector } from "./promql_literal.ts";
import type { Labels } from "./result.ts";
import type { Service } from "./service.ts";
import { namedBy } from "./service_name.ts";
import { formatDuration } from "./time.ts";

/** What is told of probes that fail. */
export interface FailingProbes {
  /** A clause: `1 of 2 probes from outside fails: https://shop.example/; since about 12:41Z (14m ago)`. */
  readonly text: string;
  /** The first of them. */
  readonly query: string;
}

const metric = "probe_success";
/** How old the last probe may be, as some come every few minutes; and how far back is looked for when it began. */
const lately = "15m";
const lookBack = 3_600;
/** Failures in a row, and seconds without a success, from which on it is no chance. */
const leastFailures = 2;
const leastSeconds = 300;
/** Those that failed last, of which more is asked. */
const mostRead = 10;
/** Labels that name the service, and those that hold the address. */
const namingLabels = ["job", "service", "app", "app_kubernetes_io_name"];
const addressLabels = ["instance", "target"];
/** What may follow its name in a host: `.shop`, `.shop.svc.cluster.local`. In another domain it may be anybody's. */
const inCluster = "\\.[a-z0-9-]+([.]svc([.][a-z0-9.-]+)?)?";
const mostNamed = 2;
/** Characters of a label's value in the query that is advised. */
const longestValue = 500;

/** Reads them; undefined where none fails, or none is known. */
export async function readFailingProbes(
  asking: Asking,
  service: Service,
): Promise<FailingProbes | undefined> {
  const { api, time, signal } = asking;
  const { name } = namedBy(service);
  const word = escapeRegex(name);
  const own: readonly Matcher[] = [
    ...namingLabels.map((label): Matcher => [label, "=", name]),
    ["job", "=~", `.+/${word}`],
    ...addressLabels.map((label): Matcher => [label, "=~", `([a-z]+://)?${word}(${inCluster})?([:/].*)?`]),
  ];
  const last = own.map((matcher) => `last_over_time(${selector(metric, [matcher])}[${lately}])`);
  const { series } = await api.query(last.join(" or "), time, { signal });
  const failed = series.filter(({ value }) => Number(value?.[1]) === 0);
  const read = await Promise.all(
    failed.slice(0, mostRead).map(async ({ metric: labels }) => {
      const episode = await readEpisode(asking, labels);
      return episode === undefined ? [] : [{ labels, episode }];
    }),
  );
  const failing = read.flat().sort((a, b) => (a.episode.began ?? 0) - (b.episode.began ?? 0));
  const [first] = failing;
  if (first === undefined) return undefined;
  const addresses = failing.slice(0, mostNamed).map(({ labels }) =>
    oneLine(labels.instance ?? labels.target ?? labels.job ?? "", 100)
  );
  const which = series.length === 1
    ? "Its probe from outside fails"
    : `${
      failed.length > mostRead ? "At least " : ""
    }${failing.length} of ${series.length} probes from outside ${failing.length === 1 ? "fails" : "fail"}`;
  const labels = ["job", ...addressLabels].flatMap((label): Matcher[] => {
    const value = first.labels[label];
    return value === undefined || value.length > longestValue ? [] : [[label, "=", value]];
  });
  return {
    text: `${which}: ${addresses.join(", ")}${failing.length > mostNamed ? ", …" : ""}${
      episodeClause(first.episode, time)
    }`,
    query: selector(metric, labels),
  };
}

/** Since when one fails, by its samples; undefined where that may be chance, or where there is no such probe any more. */
async function readEpisode(
  { api, time, signal }: Asking,
  { __name__: _, ...labels }: Labels,
): Promise<Episode | undefined> {
  const matchers = Object.entries(labels).map(([label, value]): Matcher => [label, "=", value]);
  const query = `${selector(metric, matchers)}[${formatDuration(lookBack)}]`;
  const { ranges } = await api.query(query, time, { signal });
  const samples = ranges.flatMap(({ values }) => values).map(([at, value]) => ({
    at,
    fails: Number(value) === 0,
  }));
  const [earliest, latest] = [samples[0], samples.at(-1)];
  if (earliest === undefined || latest === undefined) return undefined;
  if (time - latest.at > staleAfter(scrapeInterval(ranges))) return undefined;
  const success = samples.findLastIndex(({ fails }) => !fails);
  const isChance = samples.length - 1 - success < leastFailures ||
    time - (samples[success] ?? earliest).at < leastSeconds;
  if (isChance) return undefined;
  return {
    began: success < 0 ? undefined : samples[success + 1]?.at,
    ended: undefined,
    times: samples.filter(({ fails }, index) => fails && samples[index - 1]?.fails !== true).length,
    looked: 60 * Math.round((latest.at - earliest.at) / 60),
  };
}
