/**
 * The story that the workflows are played in, on the real parts: a user-service that leaks its database connections
 * until there are none left, answers with errors, is scraped by Prometheus, and crash-loops in the cluster.
 *
 * | what | known by construction |
 * |---|---|
 * | PostgreSQL | the sample tododb; user_service may have 12 connections, and holds all of them idle in transaction |
 * | Prometheus | 26 h of user-service, order-service and payment-service; traffic of user-service grew by 50% within the last day; 20 minutes ago a third of its requests began to fail, and its p95 rose from 0.095 s to 2.375 s |
 * | Kubernetes | namespace shop: user-service, 3 pods in a crash loop; order-service and payment-service, well |
 */
import postgres from "postgres";
import { alignedSeconds, OpenMetrics, type Span } from "./openmetrics.ts";
import { kubernetesAvailable, startKubernetes, type TestKubernetes } from "./kubernetes.ts";
import { postgresAvailable, startPostgres, type TestPostgres } from "./postgres.ts";
import { prometheusAvailable, startPrometheus, type TestPrometheus } from "./prometheus.ts";
import { SampleService } from "./sample_service.ts";
import { until } from "./until.ts";

/** Whether all of it can be started. */
export const storyAvailable: boolean = postgresAvailable && prometheusAvailable && kubernetesAvailable;

/** The running story. */
export interface Story extends AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly prometheus: TestPrometheus;
  readonly kubernetes: TestKubernetes;
  /** What platform-mcp is started with. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Connections that the role of user-service may have. */
const connectionLimit = 12;
const reader = { role: "mcp_reader", password: "the password of a reader" };
const incidentSeconds = 20 * 60;
const day = 86_400;

/** Starts everything; `say` hears what is done. */
export async function startStory(say: (line: string) => void = () => {}): Promise<Story> {
  await using stack = new AsyncDisposableStack();
  say("PostgreSQL");
  const server = stack.use(
    await startPostgres({ settings: ["max_connections = 20", "fsync = on", "full_page_writes = on"] }),
  );
  await fillDatabase(server);
  const leaked = await leakConnections(server, stack);
  say("Prometheus");
  const service = stack.use(new SampleService());
  const prometheus = stack.use(await startMetrics(service, stack));
  say("Kubernetes");
  const kubernetes = stack.use(await startKubernetes());
  await deployServices(kubernetes, leaked);
  const owned = stack.move();
  return {
    postgres: server,
    prometheus,
    kubernetes,
    variables: {
      DB_HOST: server.host,
      DB_PORT: String(server.port),
      DB_NAME: "tododb",
      DB_USER: reader.role,
      DB_PASSWORD: reader.password,
      DB_POOL_SIZE: "2",
      PROMETHEUS_URL: prometheus.url,
      KUBECONFIG: kubernetes.kubeconfig,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function fillDatabase({ host, port, superuser, password }: TestPostgres): Promise<void> {
  const connection = { host, port, user: superuser, password, max: 1, onnotice: () => {} };
  const admin = postgres({ ...connection, database: "postgres" });
  await admin.unsafe("create database tododb");
  await admin.end();
  const owner = postgres({ ...connection, database: "tododb" });
  const sample = await Deno.readTextFile(new URL("../../scripts/sample/tododb.sql", import.meta.url));
  try {
    await owner.unsafe(sample).simple();
    await owner.unsafe(`
      alter table events rename to sample_events;
      create table events (service text not null, "timestamp" timestamptz not null);
      -- The service records nothing any more since its incident began.
      insert into events select 'user-service', now() - interval '20 minutes' - i * interval '1 second'
        from generate_series(1, 1200) i;
      create role user_service login password 'leaky' connection limit ${connectionLimit};
      grant select on users to user_service;
      create role ${reader.role} login password '${reader.password}';
      grant pg_monitor to ${reader.role};
      grant select on all tables in schema public to ${reader.role};
      grant select on all sequences in schema public to ${reader.role};
      analyze`).simple();
  } finally {
    await owner.end();
  }
}

/** What a leaking service does: it begins transactions and forgets them. Returns the error that the next request gets. */
async function leakConnections({ host, port }: TestPostgres, stack: AsyncDisposableStack): Promise<string> {
  const options = {
    host,
    port,
    user: "user_service",
    password: "leaky",
    database: "tododb",
    max: 1,
    onnotice: () => {},
    connection: { application_name: "user-service" },
  };
  for (let index = 0; index < connectionLimit; index++) {
    const sql = postgres(options);
    stack.defer(() => sql.end({ timeout: 1 }));
    const held = await sql.reserve();
    await held.unsafe("begin");
    await held.unsafe("select * from users where id = 1");
  }
  const refused = postgres(options);
  try {
    await refused.unsafe("select 1");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await refused.end({ timeout: 1 });
  }
  throw new Error("The database still has connections for user_service");
}

/** Requests per second and their fates, before and during the incident. */
const before = { ok: 0.999, failed: 0.001 };
const during = { ok: 2 / 3, failed: 1 / 3 };
const bounds = { fast: { "0.05": 0.5, "0.1": 0.5 }, slow: { "1": 0.5, "2.5": 0.5 } };

/** A Prometheus with a day of three services, one of which fails since 20 minutes; `service` goes on counting for it. */
export async function startMetrics(
  service: SampleService,
  stack: AsyncDisposableStack,
): Promise<TestPrometheus> {
  const now = alignedSeconds(Date.now(), 15);
  const from = now - 26 * 3600;
  const begun = now - incidentSeconds;
  const series = new OpenMetrics();
  const labels = { job: "user-service", namespace: "shop", instance: service.address };
  const totals = new Map<string, readonly [value: number, rate: (time: number) => number]>();
  /** A counter whose rate changes: laid down piece by piece, each beginning where the last one ended. */
  const grow = (name: string, extra: Record<string, string>, rate: (time: number) => number) => {
    let value = 0;
    const whole: Span = { from, to: now, step: 15 };
    series.gauge(name, { ...labels, ...extra }, whole, (time, since) => {
      if (since > 0) value += 15 * rate(time);
      return Number(value.toFixed(6));
    });
    // Not a digit less than the last sample, or it would look like a restart.
    totals.set(JSON.stringify([name, extra]), [Number(value.toFixed(6)), rate]);
  };
  // 40 requests a second a day ago, 60 now.
  const traffic = (time: number) => 40 + 20 * Math.max(0, Math.min(1, (time - (now - day)) / day));
  const fate = (time: number) => time > begun ? during : before;
  grow("http_requests_total", { status: "200" }, (time) => traffic(time) * fate(time).ok);
  grow("http_requests_total", { status: "500" }, (time) => traffic(time) * fate(time).failed);
  const shares = (time: number): Readonly<Record<string, number>> => time > begun ? bounds.slow : bounds.fast;
  const below = (le: number) => (time: number) =>
    traffic(time) *
    Object.entries(shares(time)).reduce((sum, [bound, share]) => sum + (Number(bound) <= le ? share : 0), 0);
  for (const le of ["0.05", "0.1", "0.5", "1", "2.5"]) {
    grow("http_request_duration_seconds_bucket", { le }, below(Number(le)));
  }
  grow("http_request_duration_seconds_bucket", { le: "+Inf" }, traffic);
  grow("http_request_duration_seconds_count", {}, traffic);
  grow("http_request_duration_seconds_sum", {}, (time) => traffic(time) * (time > begun ? 1.5 : 0.06));
  series.gauge("up", labels, { from, to: now, step: 15 }, 1);
  const span = { from, to: now + 3600, step: 15 };
  for (const [job, failed] of [["order-service", 0.05], ["payment-service", 0]] as const) {
    const other = { job, namespace: "shop", instance: `${job}:8080` };
    series.gauge("up", other, span, 1)
      .counter("http_requests_total", { ...other, status: "200" }, span, 10 - failed)
      .counter("http_requests_total", { ...other, status: "500" }, span, failed);
  }
  // From here on the service itself goes on counting where its past ends.
  for (const [key, [value]] of totals) {
    const [name, extra]: readonly [string, Record<string, string>] = JSON.parse(key);
    service.describe(name, "counter", "").set(name, extra, value);
  }
  // By the time that went by, not by the ticks: a busy machine leaves some out.
  let counted = now;
  const clock = setInterval(() => {
    const time = Date.now() / 1000;
    for (const [key, [, rate]] of totals) {
      const [name, extra]: readonly [string, Record<string, string>] = JSON.parse(key);
      service.add(name, extra, rate(time) * (time - counted));
    }
    counted = time;
  }, 1_000);
  stack.defer(() => clearInterval(clock));
  return await startPrometheus({
    scrape: [{
      job_name: "user-service",
      targets: [service.address],
      labels: { namespace: "shop" },
      scrape_interval: "15s",
    }],
    backfill: series.lines,
    rules: [{
      name: "services",
      interval: "1s",
      rules: [{
        alert: "HighErrorRate",
        expr:
          'sum by (job) (rate(http_requests_total{status=~"5.."}[10m])) / sum by (job) (rate(http_requests_total[10m])) > 0.05',
        labels: { severity: "critical" },
        annotations: { summary: "More than 5% of the requests of {{ $labels.job }} fail" },
      }],
    }],
  });
}

/** The three services in the cluster; the pods of user-service crash, and say that the database refuses them. */
export async function deployServices(kubernetes: TestKubernetes, databaseError: string): Promise<void> {
  const deployment = (name: string, replicas: number, extra: Record<string, string> = {}) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "shop", labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...extra } },
        spec: { containers: [{ name: "app", image: `${name}:1.4.2` }] },
      },
    },
  });
  await kubernetes.apply([
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    deployment("user-service", 3, { "test/crash": "true" }),
    deployment("order-service", 2),
    deployment("payment-service", 2),
  ]);
  const names = async (app: string) =>
    (await kubernetes.kubectl("get", "pods", "-n", "shop", "-l", `app=${app}`, "-o", "name"))
      .trim().split("\n").filter((line) => line !== "").map((line) => line.replace("pod/", ""));
  await until("the pods of user-service", async () => (await names("user-service")).length === 3);
  const said = [
    "INFO listening on :8080",
    "INFO GET /users/17 200 12ms",
    `ERROR GET /users/23 500: cannot acquire a connection: ${databaseError}`,
    `ERROR GET /users/31 500: cannot acquire a connection: ${databaseError}`,
    "FATAL liveness failed three times, giving up",
  ];
  for (const pod of await names("user-service")) {
    await kubernetes.setPodLogs("shop", pod, [{ container: "app", lines: said.slice(0, 4), previous: said }]);
  }
  await until("the crash loop", async () => {
    const text = await kubernetes.kubectl(
      "get",
      "pods",
      "-n",
      "shop",
      "-l",
      "app=user-service",
      "--no-headers",
    );
    // Where the loop stays.
    return (text.match(/CrashLoopBackOff +2 /g) ?? []).length === 3;
  });
  for (const app of ["order-service", "payment-service"]) {
    await kubernetes.kubectl("rollout", "status", `deployment/${app}`, "-n", "shop", "--timeout=60s");
  }
}
