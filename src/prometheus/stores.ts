/**
 * The stores behind a Thanos Query. Of one that it does not reach it warns for a few seconds; then it answers from the
 * others, and from none with nothing, without a word.
 */
import { answerOr } from "../common/errors.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { oneLine } from "./one_line.ts";
import type { BuildInfo, Store } from "./result.ts";

/** Sentences without a full stop on what an answer can't hold; none of a server that is no Thanos. */
export async function unreachedStores(api: PrometheusApi, options: AskOptions): Promise<readonly string[]> {
  const stores = await readStores(api, options);
  if (stores?.length === 0) return ["Thanos has no store to ask"];
  return (stores ?? []).filter(({ lastError }) => lastError !== "").slice(0, 5).map(({ name, lastError }) =>
    `Thanos does not reach its store ${oneLine(name, 100)}: ${oneLine(lastError, 200)}`
  );
}

/** The name and the version; Thanos and Prometheus do not tell their names. */
export async function readBuild(api: PrometheusApi, options: AskOptions): Promise<BuildInfo> {
  const { version, application } = await api.buildInfo(options);
  if (application !== "") return { version, application };
  return { version, application: await readStores(api, options) === undefined ? "Prometheus" : "Thanos" };
}

function readStores(api: PrometheusApi, options: AskOptions): Promise<readonly Store[] | undefined> {
  return answerOr(undefined, () => api.stores(options));
}
