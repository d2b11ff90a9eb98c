/** Each rule on a plan that a real server makes: what is found, and what it is that is advised. */
import assert from "@std/assert";
import { createLogger } from "../../src/common/log.ts";
import { Database } from "../../src/postgres/database.ts";
import { explainQuery } from "../../src/postgres/explain_query.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { analyzed, cases, counted, schema } from "./plan_cases.ts";

/** As the tool gives it. */
interface Finding {
  readonly title: string;
  readonly evidence: string;
  readonly advice: string;
  readonly statement?: string;
  readonly share: number;
}

Deno.test({
  name: "what stands out in a plan",
  ignore: !postgresAvailable,
  async fn(context) {
    await using test = await createDatabase(schema);
    const { settings } = test;
    // A session reports what it counted when it does something, at most twice a second.
    const isCounted = (rows: number) => test.execute(counted(rows)).then(() => true, () => false);
    await until("the rows of changed are counted", () => isCounted(1000));
    await test.execute(analyzed);
    await until("the changes since are counted", () => isCounted(50_000));
    const find = async (sql: string, analyze: boolean, server: Readonly<Record<string, string>>) => {
      const set = Object.entries({ max_parallel_workers_per_gather: "0", jit: "off", ...server })
        .map(([name, value]) => `alter database ${settings.database} set ${name} = '${value}';`);
      await test.execute(`alter database ${settings.database} reset all; ${set.join(" ")}`);
      await using database = new Database(settings, createLogger("off"));
      return await callTool(explainQuery(database, { allowFunctions: [], fastMs: 0 }), { sql, analyze });
    };
    for (const expected of cases) {
      await context.step(expected.name, async () => {
        const isAsExpected = (findings: readonly Finding[]) => {
          if (findings.some(({ title }) => expected.absent?.test(title))) return false;
          if (expected.absent !== undefined && expected.title === undefined) return true;
          const matches = findings.filter((each) =>
            (expected.title?.test(each.title) ?? true) && (expected.evidence?.test(each.evidence) ?? true) &&
            (expected.advice?.test(each.advice) ?? true) &&
            (expected.statement === undefined || expected.statement === (each.statement ?? null))
          );
          return matches.length === 1;
        };
        const measured = expected.analyze ?? true;
        const ask = () => find(expected.sql, measured, expected.settings ?? {});
        let { text, structured } = await ask();
        // Whatever the server is at when it has to wait for a processor takes long, and the rest a small part.
        for (let n = 0; n < 10 && measured && !isAsExpected(structured.findings); n++) {
          ({ text, structured } = await ask());
        }
        const findings: Finding[] = structured.findings;
        assert.ok(isAsExpected(findings), text);
        for (const { title, evidence, advice, statement } of findings) {
          const statements = statement?.split("\n") ?? [];
          for (const part of [title, evidence, advice, ...statements]) assert.ok(text.includes(part), part);
        }
        const shares = findings.map(({ share }) => share);
        assert.deepEqual(shares, shares.toSorted((a, b) => b - a));
      });
    }
  },
});
