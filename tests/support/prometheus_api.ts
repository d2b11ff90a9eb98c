/** A client of a test's Prometheus, made from variables as the program makes it. */
import { Environment, processEnvironment } from "../../src/common/env.ts";
import { PrometheusApi } from "../../src/prometheus/api.ts";
import { type PrometheusSettings, readPrometheusSettings } from "../../src/prometheus/settings.ts";

/** The settings that these variables make; files are read for `*_FILE`. */
function settingsOf(variables: Readonly<Record<string, string>>): PrometheusSettings {
  const { readFile } = processEnvironment;
  return readPrometheusSettings(new Environment({ get: (name) => variables[name], readFile }));
}

/** A client that closes when disposed. */
export interface TestApi extends Disposable {
  readonly api: PrometheusApi;
  readonly settings: PrometheusSettings;
}

/** Asks the server at `url`; further variables are those of the program. */
export function apiOf(url: string, variables: Readonly<Record<string, string>> = {}): TestApi {
  const settings = settingsOf({ PROMETHEUS_URL: url, CACHE_TTL_SECONDS: "0", ...variables });
  const api = new PrometheusApi(settings);
  return { api, settings, [Symbol.dispose]: () => api.close() };
}
