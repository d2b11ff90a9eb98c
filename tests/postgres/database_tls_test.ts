/** libpq's sslmodes: for each certificate, host and mode, what psql says is what we say. */
import assert from "@std/assert";
import { Database } from "../../src/postgres/database.ts";
import { sslModes } from "../../src/postgres/settings.ts";
import { execute, fetchOnce, quiet, settingsFor, unguarded, wide } from "../support/unguarded.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";

async function succeeds(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command(program, {
    args,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}

const psql = `${
  Deno.permissions.querySync({ name: "env" }).state === "granted" ? Deno.env.get("POSTGRES_BIN") ?? "" : ""
}/psql`
  .replace(/^\/psql$/, "psql");

async function findPsql(): Promise<boolean> {
  if (!postgresAvailable) return false;
  try {
    return await succeeds(psql, ["--version"]) !== undefined &&
      await succeeds("openssl", ["version"]) !== undefined;
  } catch {
    return false;
  }
}

interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly names?: string;
  readonly authority: "ours" | "theirs";
  /** `openssl x509 -days`: one that is below zero has expired. */
  readonly days?: string;
}

const certificates: readonly Certificate[] = [
  { name: "for localhost", subject: "/CN=localhost", names: "DNS:localhost", authority: "ours" },
  { name: "for 127.0.0.1", subject: "/CN=server", names: "IP:127.0.0.1", authority: "ours" },
  { name: "for another host", subject: "/CN=localhost", names: "DNS:other.example", authority: "ours" },
  { name: "for localhost by its common name", subject: "/CN=localhost", authority: "ours" },
  {
    name: "that expired",
    subject: "/CN=localhost",
    names: "DNS:localhost,IP:127.0.0.1",
    authority: "ours",
    days: "-1",
  },
  {
    name: "of an unknown authority",
    subject: "/CN=localhost",
    names: "DNS:localhost,IP:127.0.0.1",
    authority: "theirs",
  },
];

Deno.test("TLS as psql does it", { ignore: !(await findPsql()) }, async (t) => {
  await using server = await startPostgres();
  const folder = await Deno.makeTempDir();
  const file = (name: string) => `${folder}/${name}`;
  const openssl = async (...args: string[]) =>
    assert.notEqual(await succeeds("openssl", args), undefined, args.join(" "));
  try {
    for (const authority of ["ours", "theirs"]) {
      await openssl(
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", `/CN=${authority}`],
        ...["-keyout", file(`${authority}.key`), "-out", file(`${authority}.crt`)],
      );
    }
    await openssl("genrsa", "-out", file("server.key"), "2048");
    const sslRootCert = await Deno.readTextFile(file("ours.crt"));
    const { uid, gid } = await Deno.stat(server.dataDirectory);
    const install = async (source: string, target: string) => {
      const path = `${server.dataDirectory}/${target}`;
      await Deno.copyFile(source, path);
      await Deno.chmod(path, 0o600);
      if (uid !== null && gid !== null && Deno.uid() === 0) await Deno.chown(path, uid, gid);
    };
    await install(file("server.key"), "server.key");
    await Deno.writeTextFile(`${server.dataDirectory}/postgresql.conf`, "ssl = on\n", { append: true });

    const ours = async (
      host: string,
      sslMode: typeof sslModes[number],
      root: boolean,
    ): Promise<string | undefined> => {
      await using database = new Database(
        settingsFor(server, {
          hosts: [{ host, port: server.port }],
          sslMode,
          sslRootCert: root ? sslRootCert : undefined,
        }),
        quiet,
      );
      const sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
      return await fetchOnce(database, sql).then(({ rows }) => rows[0]?.[0] ?? undefined, () => undefined);
    };
    const theirs = (host: string, sslMode: string, root: boolean): Promise<string | undefined> =>
      succeeds(psql, [
        "--no-psqlrc",
        "--no-password",
        "--tuples-only",
        "--no-align",
        `--command=select ssl from pg_stat_ssl where pid = pg_backend_pid()`,
        `host=${host} port=${server.port} user=postgres dbname=postgres sslmode=${sslMode} sslrootcert=${
          root ? file("ours.crt") : "/nonexistent/root.crt"
        }`,
      ], { PGPASSWORD: server.password });

    for (const { name, subject, names, authority, days } of certificates) {
      await Deno.writeTextFile(file("names"), names === undefined ? "" : `subjectAltName=${names}\n`);
      await openssl("req", "-new", "-key", file("server.key"), "-subj", subject, "-out", file("server.csr"));
      await openssl(
        ...["x509", "-req", "-in", file("server.csr"), "-out", file("server.crt"), "-days", days ?? "30"],
        ...["-CA", file(`${authority}.crt`), "-CAkey", file(`${authority}.key`), "-CAcreateserial"],
        ...["-extfile", file("names")],
      );
      await install(file("server.crt"), "server.crt");
      await server.restart();
      for (const host of ["localhost", "127.0.0.1"]) {
        for (const sslMode of sslModes) {
          for (const root of [true, false]) {
            await t.step(
              `${name}, asked as ${host}, ${sslMode}${root ? "" : ", no authority set"}`,
              async () => {
                const [mine, psqls] = [await ours(host, sslMode, root), await theirs(host, sslMode, root)];
                // psql prefers no TLS to a certificate that it can't verify: TLS that is not verified is still more.
                if (sslMode === "prefer") assert.deepEqual([mine, psqls === undefined], ["t", false]);
                else assert.equal(mine, psqls);
              },
            );
          }
        }
      }
    }

    await t.step("a statement is cancelled over TLS too", async () => {
      await using database = new Database(settingsFor(server, { sslMode: "require" }), quiet);
      const controller = new AbortController();
      const find = "select 1 from pg_stat_activity where query like '%tls' || '_test%' and state = 'active'";
      const call = database.read(
        { signal: controller.signal },
        (transaction) => transaction.fetch(unguarded("select pg_sleep(60) as tls_test"), [], wide),
      );
      while ((await execute(server, find)).length === 0);
      controller.abort();
      await assert.rejects(call, /cancelled/);
      while ((await execute(server, find)).length > 0);
    });

    await t.step("prefer goes without TLS where pg_hba.conf wants none", async () => {
      const path = `${server.dataDirectory}/pg_hba.conf`;
      const hba = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, hba.replaceAll(/^host /gm, "hostnossl "));
      await server.restart();
      assert.equal(await ours("127.0.0.1", "prefer", false), "f");
      assert.equal(await ours("127.0.0.1", "require", false), undefined);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
