/** Probes from outside (blackbox_exporter's `probe_success`) of a service: of a job of their own, they name it by a label or an address. */
import type { Asking } from "./asking.ts";
import { oneLine } from "./one_line.ts";
import { escapeRegex, type Matcher, selector } from "./promql.ts";
import type { Service } from "./service.ts";
import { namedBy } from "./service_alerts.ts";

/** What is told of probes that fail. */
export interface FailingProbes {
  /** A clause: `1 of 2 probes from outside has failed for 5m: https://shop.example/`. */
  readonly text: string;
  /** The first of them. */
  readonly query: string;
}

/** No probe of that time succeeded: one that fails alone is chance. */
const span = "5m";
const metric = "probe_success";
/** Labels that name the service, and those that hold the address. */
const namingLabels = ["job", "service", "app", "app_kubernetes_io_name"];
const addressLabels = ["instance", "target"];
/** What may follow its name in a host: `.shop`, `.shop.svc.cluster.local`. In another domain it may be anybody's. */
const inCluster = "\\.[a-z0-9-]+([.]svc([.][a-z0-9.-]+)?)?";
const mostNamed = 2;

/** Reads them; undefined where none fails, or none is known. */
export async function readFailingProbes(
  { api, time, signal }: Asking,
  service: Service,
): Promise<FailingProbes | undefined> {
  const { name } = namedBy(service);
  const word = escapeRegex(name);
  const own: readonly Matcher[] = [
    ...namingLabels.map((label): Matcher => [label, "=", name]),
    ["job", "=~", `.+/${word}`],
    ...addressLabels.map((label): Matcher => [label, "=~", `([a-z]+://)?${word}(${inCluster})?([:/].*)?`]),
  ];
  const lately = own.map((matcher) => `max_over_time(${selector(metric, [matcher])}[${span}])`);
  const { series } = await api.query(lately.join(" or "), time, { signal });
  const failing = series.filter(({ value }) => Number(value?.[1]) === 0);
  const [first] = failing;
  if (first === undefined) return undefined;
  const addresses = failing.slice(0, mostNamed).map(({ metric }) =>
    oneLine(metric.instance ?? metric.target ?? metric.job ?? "", 100)
  );
  const which = series.length === 1
    ? "Its probe from outside has"
    : `${failing.length} of ${series.length} probes from outside ${failing.length === 1 ? "has" : "have"}`;
  const labels = ["job", ...addressLabels].flatMap((label): Matcher[] => {
    const value = first.metric[label];
    return value === undefined ? [] : [[label, "=", value]];
  });
  return {
    text: `${which} failed for ${span}: ${addresses.join(", ")}${failing.length > mostNamed ? ", …" : ""}`,
    query: selector(metric, labels),
  };
}
