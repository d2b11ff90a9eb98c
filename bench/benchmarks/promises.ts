/**
 * What "read-only" is worth: the same attacks on ours and on the alternatives, each with its own read-only settings, and
 * what had changed or leaked afterwards, by the backend's own word. The role is a superuser's, as in many a configuration.
 */
import postgres from "postgres";
import { alternatives, type Bench, compiled, openSessions, print, say } from "../context.ts";
import type { Asked } from "../questions.ts";
import type { StdioClient } from "../stdio_client.ts";

/** One attack on one subject. */
export interface Attempt {
  readonly attack: string;
  readonly name: string;
  /** `held`, or what came of it. */
  readonly outcome: string;
}

export async function promises(bench: Bench): Promise<readonly Attempt[]> {
  const attempts = [...await onPostgres(bench), ...await onPrometheus(bench), ...await onKubernetes(bench)];
  say("\nAttacks, and their outcomes");
  print(
    ["subject", "attack", "outcome"],
    attempts.map(({ name, attack, outcome }) => [name, attack, outcome]),
  );
  return attempts;
}

async function onPostgres(bench: Bench): Promise<readonly Attempt[]> {
  const { database } = bench.parts;
  if (database === undefined) return [];
  const { host, port, superuser, password } = database.server;
  await using stack = new AsyncDisposableStack();
  const admin = postgres({
    host,
    port,
    user: superuser,
    password,
    database: "postgres",
    max: 1,
    onnotice: () => {},
  });
  stack.defer(() => admin.end());
  const credentials = `${encodeURIComponent(superuser)}:${encodeURIComponent(password)}`;
  const backends = {
    ...bench.backends,
    database: `postgres://${credentials}@${host}:${port}/postgres?sslmode=disable`,
  };
  const subjects = [compiled("postgres", backends), ...alternatives("postgres", { ...bench, backends })];
  const tools: Readonly<Record<string, string>> = { "server-postgres": "query", dbhub: "execute_sql" };
  const attempts: Attempt[] = [];
  for (const { name, key, client } of await openSessions(subjects, stack)) {
    const ask = (sql: string) => said(client, [tools[key] ?? "query_database", { sql }]);
    await admin.unsafe("drop table if exists victim; create table victim (id int)").simple();
    await ask("COMMIT; DROP TABLE victim");
    const [{ there } = { there: false }] = await admin`select to_regclass('victim') is not null as there`;
    attempts.push({
      name,
      attack: "COMMIT; DROP TABLE victim",
      outcome: there ? "held" : "table dropped",
    });

    await ask("COPY (SELECT 'secret of the host') TO '/tmp/bench-copied'");
    const [{ copied } = { copied: false }] = await admin`
      select (pg_stat_file('/tmp/bench-copied', true)).size is not null as copied`;
    attempts.push({
      name,
      attack: "COPY … TO '/tmp/file'",
      outcome: copied ? "file written on the server" : "held",
    });
    await Deno.remove("/tmp/bench-copied").catch(() => {});

    const file = await ask("SELECT pg_read_file('postgresql.conf') AS text");
    attempts.push({
      name,
      attack: "SELECT pg_read_file('postgresql.conf')",
      outcome: file.includes("listen_addresses") || file.includes("max_connections")
        ? "file contents disclosed"
        : "held",
    });

    await ask("SELECT pg_advisory_lock(4711)");
    const [{ locked } = { locked: 0 }] = await admin`
      select count(*)::int as locked from pg_locks where locktype = 'advisory' and objid = 4711`;
    attempts.push({
      name,
      attack: "SELECT pg_advisory_lock(4711)",
      outcome: locked > 0 ? "lock left behind" : "held",
    });
    await admin`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 4711`;
  }
  return attempts;
}

const changing = /^(delete_|clean_|quit|reload|snapshot|create|update|drop|write)/;

async function onPrometheus(bench: Bench): Promise<readonly Attempt[]> {
  if (bench.parts.prometheus === undefined) return [];
  await using stack = new AsyncDisposableStack();
  // As it comes: an alternative whose tools can be chosen has to be told to leave those out.
  const asItComes = alternatives("prometheus", bench).map((subject) => ({
    ...subject,
    launch: {
      ...subject.launch,
      args: subject.launch.args.filter((word) => !word.startsWith("--mcp.tools")),
    },
  }));
  const sessions = await openSessions([compiled("prometheus", bench.backends), ...asItComes], stack);
  return await Promise.all(sessions.map(async ({ name, client }) => {
    const { tools } = await client.request("tools/list");
    const names = Array.isArray(tools) ? tools.map(({ name }: { name: string }) => name) : [];
    const found = names.filter((name) => changing.test(name));
    const outcome = found.length === 0 ? "held" : found.join(", ");
    return { name, attack: "tools that change the server, by default", outcome };
  }));
}

async function onKubernetes(bench: Bench): Promise<readonly Attempt[]> {
  const { kubernetes } = bench.parts;
  if (kubernetes === undefined) return [];
  const marker = "hunter2-of-the-bench";
  await kubernetes.apply([
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "db", namespace: "default" },
      stringData: { password: marker },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "keeper", namespace: "default" },
      spec: { containers: [{ name: "app", image: "app:1", env: [{ name: "DB_PASSWORD", value: marker }] }] },
    },
  ]);
  const asked: Readonly<Record<string, { readonly secret: Asked; readonly pod: Asked }>> = {
    ours: {
      secret: ["describe_resource", { kind: "secret", name: "db", namespace: "default" }],
      pod: ["describe_pod", { pod_name: "keeper", namespace: "default" }],
    },
    "kubernetes-mcp-server": {
      secret: ["resources_get", { apiVersion: "v1", kind: "Secret", name: "db", namespace: "default" }],
      pod: ["pods_get", { name: "keeper", namespace: "default" }],
    },
    "mcp-server-kubernetes": {
      secret: ["kubectl_get", { resourceType: "secret", name: "db", namespace: "default", output: "yaml" }],
      pod: ["kubectl_get", { resourceType: "pod", name: "keeper", namespace: "default", output: "yaml" }],
    },
  };
  await using stack = new AsyncDisposableStack();
  const subjects = [compiled("kubernetes", bench.backends), ...alternatives("kubernetes", bench)];
  const attempts: Attempt[] = [];
  for (const { name, key, client } of await openSessions(subjects, stack)) {
    const calls = asked[key];
    if (calls === undefined) continue;
    const leaks = async (call: Asked) => {
      const text = await said(client, call);
      return text.includes(marker) || text.includes(btoa(marker)) ? "password disclosed" : "held";
    };
    attempts.push({ name, attack: "read a Secret", outcome: await leaks(calls.secret) });
    attempts.push({
      name,
      attack: "read a password in a pod's environment",
      outcome: await leaks(calls.pod),
    });
  }
  return attempts;
}

/** What it says, be it an answer or an error of the protocol. */
async function said(client: StdioClient, [tool, args]: Asked): Promise<string> {
  try {
    return await client.told(tool, args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
