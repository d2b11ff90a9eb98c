/** Calls a tool of prometheus-mcp about the services of service_prometheus.ts, at their own time. */
import { Environment } from "../../src/common/env.ts";
import { CallError } from "../../src/common/errors.ts";
import type { Presentation, Tool } from "../../src/common/tool.ts";
import { PrometheusApi } from "../../src/prometheus/api.ts";
import { readPrometheusSettings } from "../../src/prometheus/settings.ts";
import { servicePrometheus } from "./service_prometheus.ts";
import { callTool, type Structured } from "./tools.ts";

/** A client of that address. */
export function openApi(url: string): PrometheusApi {
  const get = (name: string) => name === "PROMETHEUS_URL" ? url : undefined;
  return new PrometheusApi(
    readPrometheusSettings(new Environment({ get, readFile: () => "" })),
  );
}

/** The answer of the tool that `make` makes; `url` may lead to the server by another way. */
export async function askAbout(
  make: (api: PrometheusApi, now: () => number) => Tool,
  args: Readonly<Record<string, unknown>>,
  { budget = 32_768, url }: { readonly budget?: number; readonly url?: string } = {},
): Promise<Presentation<Structured>> {
  const server = await servicePrometheus();
  const api = openApi(url ?? server.url);
  try {
    return await callTool(make(api, () => server.now * 1000), args, budget);
  } finally {
    api.close();
  }
}

/** What a failure says: its kind, its sentence and its hint; the text of an answer. */
export async function wordsOf(work: Promise<Presentation<Structured>>): Promise<string> {
  try {
    return (await work).text;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return `${error.kind}: ${error.message}. ${error.hint}`;
  }
}

/** Throws unless two numbers are the same to the six digits that a structured answer has. */
export function assertFigure(found: number, expected: number): void {
  if (!(Math.abs(found - expected) <= 5.1e-6 * Math.abs(expected))) {
    throw new Error(`${found} is not ${expected}`);
  }
}
