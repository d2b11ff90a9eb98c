/** A service that is called otherwise in Prometheus than in the cluster: its pods, which both know, are what is the same. */
import { answerOr } from "../common/errors.ts";
import type { Clusters } from "../kubernetes/api.ts";
import { podType } from "../kubernetes/well_known.ts";
import type { PrometheusApi } from "../prometheus/api.ts";
import { beginAsking } from "../prometheus/asking.ts";
import { requestCounters } from "../prometheus/instrumentation.ts";
import { escapeRegex, type Matcher, selector } from "../prometheus/promql_literal.ts";
import { findService, type Service } from "../prometheus/service.ts";
import { ownerOf } from "./own_workloads.ts";
import type { Pod, Scaled } from "./workload.ts";

/** Pods that are asked about, and jobs that are looked at. */
const maxPods = 50;
const maxJobs = 5;

/**
 * The job that scrapes these pods and no others, as `job=value`, one that counts requests before others. Undefined where
 * there is none: of a job that scrapes others, too, nothing could be told of the service.
 */
export async function jobOfPods(
  api: PrometheusApi,
  pods: readonly Pick<Pod, "namespace" | "name">[],
  signal: AbortSignal,
): Promise<string | undefined> {
  // A pattern of no names would pick whatever is no pod.
  if (pods.length === 0 || pods.length > maxPods) return undefined;
  const asking = await beginAsking(api, signal);
  const jobs = async (...matchers: readonly Matcher[]) => {
    const { series } = await api.query(`count by (job) (${selector("up", matchers)})`, asking.time, {
      signal,
    });
    return series.flatMap(({ metric }) => metric.job || []);
  };
  const regex = pods.map(({ name }) => escapeRegex(name)).join("|");
  // Pods of stateful sets are called the same in every namespace; not all series have that label.
  const namespaces = ["", ...new Set(pods.map(({ namespace }) => escapeRegex(namespace)))].join("|");
  const own = (await jobs(["pod", "=~", regex], ["namespace", "=~", namespaces])).slice(0, maxJobs);
  if (own.length === 0) return undefined;
  const job: Matcher = ["job", "=~", own.map(escapeRegex).join("|")];
  const others = await Promise.all([
    jobs(job, ["pod", "!~", regex]),
    jobs(job, ["namespace", "!~", namespaces]),
  ]);
  const shared = others.flat();
  // A comma would part the name.
  const names = own.filter((job) => !shared.includes(job) && !job.includes(",")).map((job) => `job=${job}`);
  const found = await Promise.all(names.map((name) => findService(asking, name)));
  return (found.find(({ metrics }) => requestCounters(metrics).length > 0) ?? found[0])?.name;
}

/** The workload of a pod that Prometheus scrapes for the service; undefined where its series name none that there is. */
export async function workloadOfService(
  clusters: Clusters,
  api: PrometheusApi,
  { matchers }: Service,
  signal: AbortSignal,
): Promise<Scaled | undefined> {
  const up = selector("up", [...matchers, ["pod", "!=", ""], ["namespace", "!=", ""]]);
  const { series } = await api.query(`topk(1, count by (namespace, pod) (${up}))`, undefined, { signal });
  const { namespace, pod } = series[0]?.metric ?? {};
  if (namespace === undefined || pod === undefined) return undefined;
  // Another cluster's, perhaps.
  return await answerOr(
    undefined,
    async () => ownerOf(await clusters.cluster(undefined).get(podType, namespace, pod, { signal })),
  );
}
