/**
 * Servers that speak Prometheus's HTTP API, for tests of their own (`deno task test:compatible`): each is found by its
 * variable alone, and holds the shop of program_prometheus.ts.
 */
import { alignedSeconds } from "./openmetrics.ts";
import { shopSeries } from "./program_prometheus.ts";
import { startPrometheus, type TestPrometheus } from "./prometheus.ts";
import { findProgram, freePort, until } from "./real_program.ts";

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
export async function startVictoriaMetrics(flags: readonly string[] = []): Promise<CompatibleServer> {
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
      ...flags,
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

async function post(url: string, body: string): Promise<void> {
  const response = await fetch(url, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
}

/** Waits until an instant query has a series in its answer. */
function untilAnswered(url: string, query: string): Promise<void> {
  return until(`${query} has an answer`, async () => {
    const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
    const answer = await response.json();
    return answer.data?.result?.length > 0;
  });
}
