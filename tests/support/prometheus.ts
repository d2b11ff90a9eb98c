/**
 * A real Prometheus for tests: started on a free port of the loopback interface with its storage in a temporary folder,
 * filled by `promtool` where a test gives samples, stopped and removed when disposed.
 *
 * Programs are `PROMETHEUS_BIN` and `PROMTOOL_BIN`, else `prometheus` from `PATH` and the `promtool` beside it.
 */
import { stringify } from "yaml";
import { alignedSeconds } from "./openmetrics.ts";
import { available, findProgram, freePort } from "./real_program.ts";
import { sharedSeries } from "./shared_series.ts";
import { until } from "./until.ts";

/** A scrape job, as `scrape_configs` has it; `targets` is short for one static configuration. */
export interface ScrapeJob {
  readonly job_name: string;
  readonly targets?: readonly string[];
  /** Labels of those targets. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly [setting: string]: unknown;
}

/** What a server is started with. */
export interface TestPrometheusOptions {
  readonly scrape?: readonly ScrapeJob[];
  /** Jobs that scrape this server itself under these names, over protobuf: native histograms among the rest. */
  readonly scrapeItself?: readonly string[];
  /** `groups:` of a rule file, as an object. */
  readonly rules?: readonly unknown[];
  /** OpenMetrics text, in pieces; see `OpenMetrics.lines`. */
  readonly backfill?: Iterable<string>;
  /** Further keys of the configuration file, `global` among them. */
  readonly config?: Readonly<Record<string, unknown>>;
  /**
   * Text of a `--web.config.file`: TLS (`tls_server_config`) or passwords (`basic_auth_users`, bcrypt). What it asks
   * for, a test has to bring: the start waits only until its log says that it is ready, and `ask` does not work.
   */
  readonly webConfig?: string;
  /** `false`: do not wait until every target was scraped once and every rule evaluated. */
  readonly settle?: boolean;
}

/** A running server. */
export interface TestPrometheus extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** `GET /api/v1/…`: the `data` of the answer, by the server's own word; throws on an error. */
  // deno-lint-ignore no-explicit-any
  ask(path: string, parameters?: Readonly<Record<string, string>>): Promise<any>;
  /** The instant query's only value, as a number; throws when there is none, or more. */
  value(query: string, time?: number): Promise<number>;
  /** Resolves when an instant query answers with at least one series; throws after two minutes. */
  untilAnswered(query: string): Promise<void>;
  /** Takes other scrape jobs and rules, and waits for them as the start does. */
  reload(changes: Pick<TestPrometheusOptions, "scrape" | "rules">): Promise<void>;
  /** Stops the process; the port and the storage stay. */
  stop(): Promise<void>;
  /** Starts it again after `stop`. */
  start(): Promise<void>;
}

const prometheus = findProgram("PROMETHEUS_BIN", "prometheus");
const promtool = findProgram("PROMTOOL_BIN", "promtool") ?? prometheus?.replace(/[^/]*$/, "promtool");

/**
 * The first number of its version. A 2 wants other settings for what 3 does, has no UTF-8 names without a flag, no native
 * histograms of its own, and no `limit` of a query; and its ranges include their beginning.
 */
export const prometheusMajor: number = ((): number => {
  if (prometheus === undefined) return 0;
  const { stdout, stderr } = new Deno.Command(prometheus, { args: ["--version"] }).outputSync();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return Number(/version (\d+)\./.exec(text)?.[1] ?? 3);
})();

/** Whether a server can be started here; for `Deno.test({ ignore: !prometheusAvailable })`. */
export const prometheusAvailable: boolean = available(
  prometheus,
  "Cannot find prometheus: set PROMETHEUS_BIN to the program",
);

/** Starts a server of its own: about half a second, and a scrape. */
export async function startPrometheus(options: TestPrometheusOptions = {}): Promise<TestPrometheus> {
  if (prometheus === undefined) throw new Error("Cannot find prometheus: set PROMETHEUS_BIN to the program");
  const program = prometheus;
  const folder = await Deno.makeTempDir({ prefix: "prometheus-" });
  const port = freePort();
  const guarded = options.webConfig !== undefined;
  const url = `${options.webConfig?.includes("tls_server_config") ? "https" : "http"}://127.0.0.1:${port}`;
  let { scrape = [], rules = [] } = options;
  const configure = () => writeConfiguration(folder, port, { ...options, scrape, rules });
  let child: Deno.ChildProcess | undefined;

  const ask: TestPrometheus["ask"] = async (path, parameters = {}) => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = await response.json();
    if (answer.status !== "success") throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer.data;
  };
  const start = async () => {
    child = new Deno.Command(program, {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.enable-lifecycle",
        "--scrape.discovery-reload-interval=200ms",
        "--storage.tsdb.retention.time=2y",
        `--log.level=${guarded ? "info" : "warn"}`,
        ...(prometheusMajor === 2 ? ["--enable-feature=native-histograms"] : []),
        ...(guarded ? [`--web.config.file=${folder}/web.yml`] : []),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let log = "";
    const logged = child.stderr.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (text) => void (log += text) }));
    const ended = child.status.then(async () => {
      await logged;
      return new Error(`Prometheus ended: ${log}`);
    });
    // It listens before it is ready, and answers 503 until then.
    const ready = guarded
      ? until("its log says that it is ready", () => log.includes("ready to receive web requests"))
      : untilReady(url);
    const failed = await Promise.race([ready.then(() => undefined), ended]);
    if (failed !== undefined) throw failed;
    if (!guarded && options.settle !== false) await settle(ask, scrape, options.scrapeItself ?? [], rules);
  };
  const stop = async () => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    running.kill("SIGTERM");
    await running.status;
  };
  // A server shared by a test process ends with it: no test can know that it is the last.
  const abandon = () => {
    child?.kill("SIGKILL");
    Deno.removeSync(folder, { recursive: true });
  };
  globalThis.addEventListener("unload", abandon);
  const release = async () => {
    globalThis.removeEventListener("unload", abandon);
    const running = child;
    child = undefined;
    try {
      running?.kill("SIGKILL");
    } catch { /* it has ended by itself, and its start says why */ }
    await running?.status;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };

  try {
    await configure();
    if (options.webConfig !== undefined) await Deno.writeTextFile(`${folder}/web.yml`, options.webConfig);
    if (options.backfill !== undefined) await backfill(folder, options.backfill);
    await start();
  } catch (error) {
    await release();
    throw error;
  }
  return {
    url,
    port,
    get pid() {
      return child?.pid ?? -1;
    },
    ask,
    async value(query, time) {
      const { result } = await ask("query", { query, ...(time === undefined ? {} : { time: String(time) }) });
      if (result.length !== 1) throw new Error(`${query}: ${result.length} series`);
      return Number(result[0].value[1]);
    },
    untilAnswered: (query) => until(query, async () => (await ask("query", { query })).result.length > 0),
    async reload(changes) {
      scrape = changes.scrape ?? scrape;
      rules = changes.rules ?? rules;
      await configure();
      const response = await fetch(`${url}/-/reload`, { method: "POST" });
      if (!response.ok) throw new Error(`Cannot reload: ${await response.text()}`);
      await response.body?.cancel();
      await settle(ask, scrape, options.scrapeItself ?? [], rules);
    },
    start,
    stop,
    [Symbol.asyncDispose]: release,
  };
}

async function writeConfiguration(
  folder: string,
  port: number,
  options: TestPrometheusOptions,
): Promise<void> {
  const { global = {}, storage = {}, ...others } = options.config ?? {};
  const jobs: readonly ScrapeJob[] = [
    ...(options.scrape ?? []),
    ...(options.scrapeItself ?? []).map((name) => ({
      job_name: name,
      targets: [`127.0.0.1:${port}`],
      ...(prometheusMajor === 2
        ? { scrape_classic_histograms: true }
        : { scrape_native_histograms: true, always_scrape_classic_histograms: true }),
    })),
  ];
  await Deno.writeTextFile(`${folder}/rules.yml`, stringify({ groups: options.rules ?? [] }));
  await Deno.writeTextFile(
    `${folder}/prometheus.yml`,
    stringify({
      // Our objects, whatever they hold, are spread into YAML's.
      global: {
        scrape_interval: "1s",
        scrape_timeout: "1s",
        evaluation_interval: "1s",
        ...global as object,
      },
      // Backfilled samples may lie a little ahead of now, so that a window that ends now is full; what is scraped then is
      // "out of order", which queries do not mind, while label values until now leave it out.
      storage: { tsdb: { out_of_order_time_window: "1h" }, ...storage as object },
      rule_files: ["rules.yml"],
      scrape_configs: jobs.map(({ targets, labels, ...settings }) => ({
        ...settings,
        ...(targets === undefined ? {} : { static_configs: [{ targets, ...(labels ? { labels } : {}) }] }),
      })),
      ...others,
    }),
  );
}

async function backfill(folder: string, pieces: Iterable<string>): Promise<void> {
  if (promtool === undefined) throw new Error("Cannot find promtool: set PROMTOOL_BIN to the program");
  const path = `${folder}/backfill.txt`;
  {
    using file = await Deno.create(path);
    const encoder = new TextEncoder();
    let batch: string[] = [];
    let length = 0;
    const flush = async () => {
      let bytes = encoder.encode(batch.join(""));
      while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
      [batch, length] = [[], 0];
    };
    for (const piece of pieces) {
      batch.push(piece);
      length += piece.length;
      if (length > 1_000_000) await flush();
    }
    await flush();
  }
  const { code, stderr } = await new Deno.Command(promtool, {
    args: [
      ...["tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=18h"],
      ...[path, `${folder}/data`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(`promtool: ${new TextDecoder().decode(stderr)}`);
  await Deno.remove(path);
}

function untilReady(url: string): Promise<void> {
  return until("Prometheus is ready", async () => {
    try {
      const response = await fetch(`${url}/-/ready`);
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  });
}

/** Every pool has its targets, each of them was tried, and every rule was evaluated. */
async function settle(
  ask: TestPrometheus["ask"],
  scrape: readonly ScrapeJob[],
  itself: readonly string[],
  rules: readonly unknown[],
): Promise<void> {
  const expected = [
    ...scrape.flatMap(({ job_name: pool, targets = [] }) => targets.map(() => pool)),
    ...itself,
  ];
  await until("every target was scraped", async () => {
    if (expected.length === 0) return true;
    const { activeTargets, droppedTargetCounts } = await ask("targets");
    const dropped = Object.values<number>(droppedTargetCounts).reduce((sum, number) => sum + number, 0);
    return activeTargets.length + dropped >= expected.length &&
      activeTargets.every(({ health }: { health: string }) => health !== "unknown");
  });
  await until("every rule was evaluated", async () => {
    if (rules.length === 0) return true;
    const { groups } = await ask("rules");
    return groups.length === rules.length &&
      groups.every((group: { rules: readonly { health: string }[] }) =>
        group.rules.every(({ health }) => health !== "unknown")
      );
  });
}

/** The shared server and the times of its samples. */
export interface SharedPrometheus extends TestPrometheus {
  /** Epoch seconds, a multiple of 60, near the start of this process: the `now` of a test that compares digits. */
  readonly now: number;
}

let shared: Promise<SharedPrometheus> | undefined;

/**
 * The one server that the tests of this process share; it ends with the process. It scrapes itself as job `prometheus`
 * (native histograms among the rest), and holds what {@linkcode sharedSeries} lays down.
 */
export function sharedPrometheus(): Promise<SharedPrometheus> {
  return shared ??= (async () => {
    const now = alignedSeconds(Date.now(), 60);
    const server = await startPrometheus({ scrapeItself: ["prometheus"], backfill: sharedSeries(now).lines });
    return Object.assign(server, { now });
  })();
}
