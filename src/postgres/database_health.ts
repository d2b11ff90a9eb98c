/** Tool `database_health`: what an experienced administrator would say of a server, worst first, in a screen. */
import { z } from "zod";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Database } from "./database.ts";
import { type Examination, type ExaminationOptions, examine } from "./health/examination.ts";
import { verdicts } from "./health/section.ts";

const input = z.strictObject({});

const finding = z.object({
  verdict: z.enum(["critical", "warning"]),
  text: z.string(),
  statements: z.array(z.string()).describe("SQL for a person to run; never run by this tool"),
  caution: z.string().nullable(),
});

const section = z.object({
  name: z.string(),
  verdict: z.enum(verdicts).describe(
    "unseen: the role lacks a right; unknown: asking failed; no_data: nothing to judge by",
  ),
  summary: z.string(),
  unseen: z.string().nullable(),
  findings: z.array(finding).describe("Worst first"),
  finding_count: z.number(),
  details: z.array(z.string()),
});

const output = z.object({
  verdict: z.enum(["critical", "warning", "unknown", "ok"]).describe(
    "Of all sections; unknown: nothing bad was found, but not all was seen",
  ),
  database: z.string(),
  server_version: z.string(),
  standby: z.boolean(),
  sections: z.array(section),
});
type Report = z.output<typeof output>;

/** Findings of one section, and its details, when there is room. */
const FINDINGS = 5;

/** Examines the server and the database it is connected to; `options` are for tests. */
export function databaseHealth(database: Database, options: ExaminationOptions = {}): Tool {
  return defineTool({
    name: "database_health",
    title: "Database health",
    description:
      "Examines the PostgreSQL server and this database: connections against the limit and who holds them, lock waits " +
      "and who blocks whom, long and idle transactions, wraparound, sequences near their end, replication lag and slots, " +
      "dangerous settings, deadlocks, cache hits, dead rows and vacuum, invalid, duplicate and unused indexes. " +
      "Each section has a verdict, evidence and SQL that a person could run. " +
      "What the role may not see is named as unseen. Start here when the database is slow or refuses connections.",
    input,
    output,
    run: (_, { signal, progress }) => examine(database, { ...options, signal, progress }),
    present(examination: Examination, budget) {
      const make = (shown: number) => {
        const structured = reportOf(examination, shown);
        return { text: render(structured), structured, rows: structured.sections.length };
      };
      return largestThatFits(FINDINGS, make, budget);
    },
  });
}

function reportOf({ server, sections }: Examination, shown: number): Report {
  const found = new Set(sections.map(({ verdict }) => verdict));
  return {
    verdict: found.has("critical")
      ? "critical"
      : found.has("warning")
      ? "warning"
      : found.has("unseen") || found.has("unknown")
      ? "unknown"
      : "ok",
    database: server.database,
    server_version: server.version,
    standby: server.inRecovery,
    sections: sections.map(({ name, verdict, summary, unseen, findings, details = [] }) => ({
      name,
      verdict,
      summary: shortened(summary, shown),
      unseen: unseen === undefined ? null : shortened(unseen, shown),
      findings: findings.slice(0, shown).map(({ verdict, text, statements = [], caution = null }) => ({
        verdict,
        text,
        statements: [...statements],
        caution,
      })),
      finding_count: findings.length,
      // A chain of waiting sessions has more lines than a list has items.
      details: details.slice(0, 5 * shown),
    })),
  };
}

/** With the least budget, what a line begins with. */
function shortened(text: string, shown: number): string {
  return shown > 0 || text.length <= 60 ? text : `${text.slice(0, 60).trimEnd()}…`;
}

function render(report: Report): string {
  const bad = report.sections.filter(({ verdict }) => verdict === "critical" || verdict === "warning");
  const rest = (wanted: Report["sections"][number]["verdict"]) =>
    report.sections.filter(({ verdict }) => verdict === wanted);
  const lines = [headline(report), ...carrying(report)];
  for (const wanted of ["critical", "warning"] as const) {
    for (const item of rest(wanted)) {
      lines.push("", `${wanted.toUpperCase()} ${item.name}: ${visible(item.summary)}`);
      lines.push(...item.details.map((line) => `  ${visible(line)}`));
      for (const { verdict, text, statements, caution } of item.findings) {
        lines.push(`- ${verdict}: ${visible(text)}`);
        lines.push(...statements.map((statement) => `    ${visible(statement)}`));
        if (caution !== null) lines.push(`    (${visible(caution)})`);
      }
      const more = item.finding_count - item.findings.length;
      if (more > 0) {
        lines.push(
          `  [Cut: ${plural(more, "more finding")} of this kind; query_database reads the catalogue.]`,
        );
      }
      if (item.unseen !== null) lines.push(`  unseen: ${visible(item.unseen)}`);
    }
  }
  const words = { unseen: "UNSEEN", unknown: "UNKNOWN", no_data: "no data", ok: "ok" } as const;
  const quiet = (["unseen", "unknown", "no_data", "ok"] as const).flatMap((verdict) =>
    rest(verdict).map((item) =>
      `${words[verdict]} ${item.name}: ${visible(item.summary.replace(/^no data: /, ""))}${
        item.unseen === null ? "" : `; unseen: ${visible(item.unseen)}`
      }`
    )
  );
  if (quiet.length > 0) lines.push("", ...quiet);
  if (bad.some(({ findings }) => findings.some(({ statements }) => statements.length > 0))) {
    lines.push("", "The SQL is for a person to judge and run; nothing was run or changed.");
  }
  return lines.join("\n");
}

function headline(report: Report): string {
  const server = `${visible(report.database)} on PostgreSQL ${visible(report.server_version)}${
    report.standby ? " (standby)" : ""
  }`;
  const gaps = report.sections.filter(({ verdict, unseen }) =>
    unseen !== null || verdict === "unseen" || verdict === "unknown"
  )
    .map(({ name }) => name);
  const withoutData = report.sections.filter(({ verdict }) => verdict === "no_data").map(({ name }) => name);
  const verdict = {
    critical: "CRITICAL",
    warning: "WARNING",
    unknown: "UNKNOWN: nothing bad in what was seen",
    ok: "OK",
  }[report.verdict];
  return [
    `${server}: ${verdict}`,
    ...(gaps.length === 0 ? [] : [`not or not wholly seen: ${gaps.join(", ")}`]),
    ...(withoutData.length === 0 ? [] : [`no data: ${withoutData.join(", ")}`]),
  ].join("; ");
}

/** The findings that carry the verdict: at most three, each the worst of its section. */
function carrying(report: Report): string[] {
  const firsts = report.sections.flatMap(({ name, findings: [first] }) =>
    first === undefined ? [] : [{ name, ...first }]
  );
  return [
    ...firsts.filter(({ verdict }) => verdict === "critical"),
    ...firsts.filter(({ verdict }) => verdict === "warning"),
  ]
    .slice(0, 3).map(({ name, text }, at) => {
      const line = visible(text);
      return `${at + 1}. ${name}: ${line.length > 160 ? `${line.slice(0, 160).trimEnd()}…` : line}`;
    });
}
