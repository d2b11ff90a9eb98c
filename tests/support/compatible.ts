/**
 * Servers that speak Prometheus's HTTP API, for tests of their own (`deno task test:compatible`): each is found by its
 * variable alone, and holds the shop of program_prometheus.ts.
 */
import { alignedSeconds } from "./openmetrics.ts";
import { shopSeries } from "./program_prometheus.ts";
import { startPrometheus, type TestPrometheus } from "./prometheus.ts";
import { findProgram, freePort } from "./real_program.ts";
import { until } from "./until.ts";

/** A running server. */
export interface CompatibleServer extends AsyncDisposable {
  readonly url: string;
}

/** One that asks two replicas. */
export interface ReplicatedServer extends CompatibleServer {
  readonly replicas: readonly TestPrometheus[];
  /** Ends what leads to both. */
  loseStores(): Promise<void>;
}

/** Without the variable there is none: nothing of that name is looked for on `PATH`. */
const program = (variable: string) => findProgram(variable, `${variable} is not set`);

/** The programs, and undefined for what is not here. */
export const programs = {
  victoriaMetrics: program("VICTORIA_METRICS_BIN"),
  thanos: program("THANOS_BIN"),
  mimir: program("MIMIR_BIN"),
};

/** A folder and processes that end together. */
class Parts implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "compatible-" });
  readonly #children: Deno.ChildProcess[] = [];
  readonly #abandon = () => this.#children.forEach((child) => child.kill("SIGKILL"));

  constructor() {
    globalThis.addEventListener("unload", this.#abandon);
  }

  /** Starts a program and waits until `ready` answers with 200. */
  async start(command: string | undefined, args: readonly string[], ready: string): Promise<void> {
    if (command === undefined) throw new Error("Cannot find the server: set the variable that names it");
    const child = new Deno.Command(command, {
      args: [...args],
      cwd: this.folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    await until(`${ready} answers`, async () => {
      try {
        const response = await fetch(ready);
        await response.body?.cancel();
        return response.ok;
      } catch {
        return false;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    globalThis.removeEventListener("unload", this.#abandon);
    for (const child of this.#children.splice(0)) {
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
      await child.status;
    }
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }
}

/** A single node that holds the shop and scrapes itself and a target that is down. It evaluates no rules. */
export async function startVictoriaMetrics(): Promise<CompatibleServer> {
  const parts = new Parts();
  const address = `127.0.0.1:${freePort()}`;
  const url = `http://${address}`;
  try {
    const jobs = [["victoria", address], ["mailer", "127.0.0.1:1"]].map(([job_name, target]) => ({
      job_name,
      static_configs: [{ targets: [target] }],
    }));
    const configuration = { global: { scrape_interval: "1s" }, scrape_configs: jobs };
    await Deno.writeTextFile(`${parts.folder}/scrape.yml`, JSON.stringify(configuration));
    await parts.start(programs.victoriaMetrics, [
      "-storageDataPath=data",
      `-httpListenAddr=${address}`,
      "-promscrape.config=scrape.yml",
    ], `${url}/health`);
    const series = shopSeries(alignedSeconds(Date.now(), 60)).lines.filter((line) => !line.startsWith("#"));
    await post(`${url}/api/v1/import/prometheus`, series.join(""));
    await untilAnswered(url, 'up{job="payment"}');
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

/** A querier over two Prometheus that hold the same. */
export async function startThanos(): Promise<ReplicatedServer> {
  const [parts, sidecars] = [new Parts(), new Parts()];
  const replicas: TestPrometheus[] = [];
  const release = async () => {
    await parts[Symbol.asyncDispose]();
    await sidecars[Symbol.asyncDispose]();
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
  };
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  try {
    const backfill = shopSeries(alignedSeconds(Date.now(), 60)).lines;
    const endpoints: string[] = [];
    for (const replica of ["a", "b"]) {
      const server = await startPrometheus({
        backfill,
        scrape: [{ job_name: "mailer", targets: ["127.0.0.1:1"] }],
        rules: [{
          name: "shop",
          rules: [{ alert: "TargetDown", expr: "up == 0", labels: { severity: "critical" } }],
        }],
        config: { global: { external_labels: { cluster: "eu", replica } } },
      });
      replicas.push(server);
      const [http, grpc] = [freePort(), freePort()];
      endpoints.push(`--endpoint=127.0.0.1:${grpc}`);
      await sidecars.start(programs.thanos, [
        "sidecar",
        `--prometheus.url=${server.url}`,
        `--tsdb.path=${sidecars.folder}`,
        `--http-address=127.0.0.1:${http}`,
        `--grpc-address=127.0.0.1:${grpc}`,
      ], `http://127.0.0.1:${http}/-/ready`);
    }
    await parts.start(programs.thanos, [
      "query",
      `--http-address=127.0.0.1:${port}`,
      `--grpc-address=127.0.0.1:${freePort()}`,
      "--query.replica-label=replica",
      ...endpoints,
    ], `${url}/-/ready`);
    await untilAnswered(url, 'up{job="mailer"} unless on () absent(up{job="payment"})');
  } catch (error) {
    await release();
    throw error;
  }
  const loseStores = () => sidecars[Symbol.asyncDispose]();
  return { url, replicas, loseStores, [Symbol.asyncDispose]: release };
}

/** The tenant of {@linkcode startMimir}. */
export const tenant = "shop";

/** A Mimir in one process that holds the shop of one tenant, with a rule. */
export async function startMimir(): Promise<CompatibleServer> {
  const parts = new Parts();
  const [port, grpc] = [freePort(), freePort()];
  const url = `http://127.0.0.1:${port}`;
  try {
    await Deno.mkdir(`${parts.folder}/rules/${tenant}`, { recursive: true });
    const rule = { alert: "TargetDown", expr: "up == 0", labels: { severity: "critical" } };
    const groups = [{ name: "shop", interval: "1s", rules: [rule] }];
    await Deno.writeTextFile(`${parts.folder}/rules/${tenant}/shop.yml`, JSON.stringify({ groups }));
    const rings = [
      "ingester",
      "distributor",
      "compactor",
      "ruler",
      "store-gateway.sharding",
      "alertmanager.sharding",
    ];
    await parts.start(programs.mimir, [
      "-target=all",
      "-server.http-listen-address=127.0.0.1",
      `-server.http-listen-port=${port}`,
      "-server.grpc-listen-address=127.0.0.1",
      `-server.grpc-listen-port=${grpc}`,
      "-auth.multitenancy-enabled=true",
      "-query-frontend.instance-addr=127.0.0.1",
      `-memberlist.bind-port=${freePort()}`,
      "-memberlist.bind-addr=127.0.0.1",
      "-usage-stats.enabled=false",
      "-common.storage.backend=filesystem",
      "-blocks-storage.filesystem.dir=blocks",
      "-blocks-storage.tsdb.dir=tsdb",
      "-blocks-storage.tsdb.retention-period=96h",
      "-ruler-storage.backend=local",
      "-ruler-storage.local.directory=rules",
      "-ruler.poll-interval=1s",
      "-ingester.ring.replication-factor=1",
      "-ingester.ring.min-ready-duration=0s",
      "-ingester.out-of-order-time-window=48h",
      "-validation.create-grace-period=1h",
      "-querier.query-ingesters-within=0",
      ...rings.flatMap((ring) => {
        const prefix = ring.includes(".") ? `${ring}-ring` : `${ring}.ring`;
        return [`-${prefix}.store=inmemory`, `-${prefix}.instance-addr=127.0.0.1`];
      }),
    ], `${url}/ready`);
    const headers = { "content-type": "application/json", "x-scope-orgid": tenant };
    const now = alignedSeconds(Date.now(), 60);
    const mailer = { job: "mailer", instance: "127.0.0.1:1" };
    const shop = shopSeries(now).gauge("up", mailer, { from: now - 600, to: now + 1200, step: 30 }, 0);
    const body = JSON.stringify(otlp(shop.lines));
    await post(`${url}/otlp/v1/metrics`, body, headers);
    await untilAnswered(`${url}/prometheus`, 'count(ALERTS{alertstate="firing"}) > 1', headers);
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
  return { url, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

/** OpenMetrics lines as OTLP's JSON, each series a gauge. */
function otlp(lines: readonly string[]): unknown {
  const metrics = lines.flatMap((line) => {
    const [, name, labels = "", value, time] = /^(\w+)\{(.*)\} (\S+) (\d+)\n$/.exec(line) ?? [];
    if (name === undefined) return [];
    const attributes = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => (
      { key, value: { stringValue: text } }
    ));
    const point = { attributes, timeUnixNano: `${time}000000000`, asDouble: Number(value) };
    return [{ name, gauge: { dataPoints: [point] } }];
  });
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}

async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const response = await fetch(url, { method: "POST", body, headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
}

/** Waits until an instant query has a series in its answer. */
function untilAnswered(
  url: string,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  return until(`${query} has an answer`, async () => {
    const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`, { headers });
    const answer = await response.json();
    return answer.data?.result?.length > 0;
  });
}
