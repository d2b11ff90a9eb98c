/** The real parts that the benchmarks ask, small and the same each time; what is missing is absent. */
import postgres from "postgres";
import { kubernetesAvailable, startKubernetes, type TestKubernetes } from "../tests/support/kubernetes.ts";
import { postgresAvailable, startPostgres, type TestPostgres } from "../tests/support/postgres.ts";
import { prometheusAvailable, startPrometheus, type TestPrometheus } from "../tests/support/prometheus.ts";

/** What runs. */
export interface Parts extends AsyncDisposable {
  readonly database: { readonly server: TestPostgres; readonly url: string } | undefined;
  readonly prometheus: TestPrometheus | undefined;
  readonly kubernetes: TestKubernetes | undefined;
}

const reader = { user: "bench_reader", password: "bench" };

/** Starts those of the parts that are wanted and at hand. */
export async function startParts(
  wanted: ReadonlySet<string>,
  say: (line: string) => void,
): Promise<Parts> {
  await using stack = new AsyncDisposableStack();
  const start = async <Part extends AsyncDisposable>(
    name: string,
    available: boolean,
    begin: () => Promise<Part>,
  ): Promise<Part | undefined> => {
    if (!wanted.has(name)) return undefined;
    if (!available) {
      say(`skipped: there is no ${name} here`);
      return undefined;
    }
    return stack.use(await begin());
  };
  const server = await start("postgres", postgresAvailable, () => startPostgres());
  const prometheus = await start(
    "prometheus",
    prometheusAvailable,
    () => startPrometheus({ scrapeItself: ["prometheus"], backfill: aDay() }),
  );
  const kubernetes = await start("kubernetes", kubernetesAvailable, () => startKubernetes());
  const database = server === undefined ? undefined : { server, url: await fill(server) };
  if (kubernetes !== undefined) await deploy(kubernetes);
  const owned = stack.move();
  return { database, prometheus, kubernetes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A gauge of two series that goes up and down over a day, a sample a minute. */
function* aDay(): Generator<string> {
  const now = Math.floor(Date.now() / 60_000) * 60;
  yield "# TYPE queue_length gauge\n";
  for (const queue of ["mail", "orders"]) {
    for (let time = now - 86_400; time <= now + 3_600; time += 60) {
      const value = 50 + 40 * Math.sin(time / 9_000) + queue.length;
      yield `queue_length{queue="${queue}"} ${value.toFixed(3)} ${time}\n`;
    }
  }
  yield "# EOF\n";
}

async function fill({ host, port, superuser, password }: TestPostgres): Promise<string> {
  const admin = postgres({
    host,
    port,
    user: superuser,
    password,
    database: "postgres",
    max: 1,
    onnotice: () => {},
  });
  try {
    await admin.unsafe(`
      create table items (id integer primary key, name text not null, price numeric(10, 2) not null, made timestamptz not null);
      insert into items select i, 'item ' || i, i * 1.25, timestamptz '2026-01-01' + i * interval '1 minute'
        from generate_series(1, 100000) i;
      analyze;
      create role ${reader.user} login password '${reader.password}';
      grant select on items to ${reader.user};`).simple();
  } finally {
    await admin.end();
  }
  return `postgres://${reader.user}:${reader.password}@${host}:${port}/postgres?sslmode=disable`;
}

async function deploy(kubernetes: TestKubernetes): Promise<void> {
  const labels = { app: "web" };
  await kubernetes.apply([{
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 5,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } },
    },
  }]);
  await kubernetes.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
}
