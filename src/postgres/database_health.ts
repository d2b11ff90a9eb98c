/** Tool `database_health`: what an experienced administrator would say of a server, worst first, in a screen. */
import * as z from "zod";
import { filled } from "../common/structured.ts";
import { fitsBudget } from "../common/largest_that_fits.ts";
import { defineTool, type Presentation, type Tool } from "../common/tool.ts";
import { plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { Database } from "./database.ts";
import { type Examination, type ExaminationOptions, examine } from "./health/examination.ts";
import { type Verdict, verdicts } from "./health/section.ts";

const input = z.strictObject({});

const finding = z.object({
  verdict: z.enum(["critical", "warning", "notice"]),
  text: z.string(),
  statements: z.array(z.string()).optional().describe("SQL for a person to run; never run by this tool"),
  caution: z.string().optional(),
});

const section = z.object({
  name: z.string(),
  verdict: z.enum(verdicts).describe(
    "unseen: the role lacks a right; unknown: asking failed; no_data: nothing to judge by; notice: nothing ails",
  ),
  summary: z.string(),
  unseen: z.string().optional().describe("What the role can't see, and the right that is missing"),
  finding_count: z.number().optional().describe("Where not all of them are shown"),
  findings: z.array(finding).optional().describe("Worst first"),
  details: z.array(z.string()).optional(),
});

const output = z.object({
  verdict: z.enum(["critical", "warning", "unknown", "ok"]).describe(
    "Of all sections; unknown: nothing bad was found, but not all was seen",
  ),
  database: z.string(),
  server_version: z.string(),
  standby: z.literal(true).optional(),
  notes: z.array(z.string()).optional().describe("How far the verdict goes, what was cut, who runs the SQL"),
  sections: z.array(section).describe("Worst first"),
});
type Report = z.output<typeof output>;

/** Lines of an answer: a screen. */
const LINES = 60;

/** Findings of a critical section, of another one, and detail lines of each; from the first level that fits. */
const levels = [[3, 3, 12], [3, 2, 6], [3, 1, 3], [2, 1, 2], [1, 1, 1], [1, 1, 0], [0, 0, 0]] as const;
type Level = (typeof levels)[number];

/** Examines the server and the database it is connected to; `options` are for tests. */
export function databaseHealth(database: Database, options: ExaminationOptions = {}): Tool {
  return defineTool({
    name: "database_health",
    title: "Database health",
    description:
      "Examines the PostgreSQL server and this database: connections, who blocks whom, long and idle transactions, " +
      "wraparound, sequences, replication, dangerous settings, deadlocks, cache, vacuum, invalid, duplicate and unused " +
      "indexes: each with a verdict, evidence and SQL that a person could run. What the role may not see is reported as " +
      "unseen. Start here when the database is slow or refuses connections.",
    input,
    output,
    run: (_, { signal, progress }) => examine(database, { ...options, signal, progress }),
    present(examination: Examination, budget) {
      let shown: Presentation<Report> | undefined;
      for (const level of levels) {
        const report = reportOf(examination, level);
        const cut = cutOf(examination, report);
        shown = {
          text: render(report, { cut, dense: level[1] <= 1 }),
          structured: structuredOf(report, cut),
          rows: report.sections.length,
        };
        // A screen is worth no finding that stands alone in its section.
        const fits = lineCount(shown.text) <= LINES || level === levels.at(-2);
        if (fits && fitsBudget(shown, budget)) break;
      }
      return shown ?? { text: "", structured: reportOf(examination, [0, 0, 0]), rows: 0 };
    },
  });
}

/** In the order that sections are told in. */
const order: readonly Verdict[] = ["critical", "warning", "notice", "unseen", "unknown", "no_data", "ok"];

const nothingBad = "nothing bad in what was seen";
const forAPerson = "The SQL is for a person to judge and run; nothing was run or changed.";

/** The report with its notes, and its sections worst first. */
function structuredOf({ sections, ...report }: Report, cut: string | undefined): Report {
  const hasSql = sections.some(({ findings = [] }) =>
    findings.some(({ statements }) => statements !== undefined)
  );
  return {
    ...report,
    ...filled({
      notes: [
        ...(report.verdict === "unknown" ? [nothingBad] : []),
        ...(cut === undefined ? [] : [cut]),
        ...(hasSql ? [forAPerson] : []),
      ],
    }),
    sections: sections.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict)),
  };
}

function reportOf({ server, sections }: Examination, level: Level): Report {
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
    ...(server.inRecovery ? { standby: true as const } : {}),
    sections: sections.map((section) => sectionOf(section, level)),
  };
}

function sectionOf(
  { name, verdict, summary, unseen, findings, details = [] }: Examination["sections"][number],
  [ofCritical, ofOther, lines]: Level,
): Report["sections"][number] {
  const shown = findings.slice(0, verdict === "critical" ? ofCritical : ofOther);
  return {
    name,
    verdict,
    summary: shortened(summary.replace(/^no data: /, ""), ofOther),
    ...filled({
      unseen: unseen === undefined ? undefined : shortened(unseen, ofOther),
      finding_count: shown.length < findings.length ? findings.length : undefined,
      findings: shown.map(({ verdict, text, statements = [], caution }) => ({
        verdict,
        text,
        ...filled({ statements: [...statements], caution }),
      })),
      details: isTold(verdict) ? details.slice(0, lines) : [],
    }),
  };
}

function lineCount(text: string): number {
  return text.split("\n").length;
}

/** Sections whose findings are shown. */
const told = ["critical", "warning", "notice"] as const satisfies readonly Verdict[];

function isTold(verdict: Verdict): boolean {
  return told.some((each) => each === verdict);
}

/** What a report leaves out of the examination, in one line; undefined when that is nothing. */
function cutOf({ sections }: Examination, report: Report): string | undefined {
  const parts = sections.flatMap(({ name, verdict, findings, details = [] }, at) => {
    const shown = report.sections[at];
    if (shown === undefined || !isTold(verdict)) return [];
    const more = findings.length - (shown.findings?.length ?? 0);
    const lines = details.length - (shown.details?.length ?? 0);
    return [
      ...(more > 0 ? [`${plural(more, "more finding")} of ${name}`] : []),
      ...(lines > 0 ? [`${plural(lines, "line")} of ${name}`] : []),
    ];
  });
  return parts.length === 0
    ? undefined
    : `Cut: ${parts.join(", ")}. Fix what is shown and ask again, or read the catalogue with query_database.`;
}

/** With the least budget, what a line begins with. */
function shortened(text: string, shown: number): string {
  return shown > 0 || text.length <= 60 ? text : `${text.slice(0, 60).trimEnd()}…`;
}

function render(
  report: Report,
  { cut, dense }: { readonly cut: string | undefined; readonly dense: boolean },
): string {
  const shown = report.sections.filter(({ verdict }) => isTold(verdict));
  const rest = (wanted: Report["sections"][number]["verdict"]) =>
    report.sections.filter(({ verdict }) => verdict === wanted);
  const lines = [headline(report), ...carrying(report)];
  if (dense) lines.push("");
  for (const wanted of told) {
    for (const item of rest(wanted)) {
      if (!dense) lines.push("");
      lines.push(`${wanted.toUpperCase()} ${item.name}: ${visible(item.summary)}`);
      lines.push(...(item.details ?? []).map((line) => `  ${visible(line)}`));
      for (const { verdict, text, statements = [], caution } of item.findings ?? []) {
        lines.push(`- ${verdict}: ${visible(text)}`);
        lines.push(...statements.map((statement) => `    ${visible(statement)}`));
        if (caution !== undefined) lines.push(`    (${visible(caution)})`);
      }
      if (item.unseen !== undefined) lines.push(`  unseen: ${visible(item.unseen)}`);
    }
  }
  const words = { unseen: "UNSEEN", unknown: "UNKNOWN", no_data: "no data", ok: "ok" } as const;
  const quiet = (["unseen", "unknown", "no_data", "ok"] as const).flatMap((verdict) =>
    rest(verdict).map((item) =>
      `${words[verdict]} ${item.name}: ${visible(item.summary)}${
        item.unseen === undefined ? "" : `; unseen: ${visible(item.unseen)}`
      }`
    )
  );
  if (quiet.length > 0) lines.push("", ...quiet);
  if (cut !== undefined) lines.push("", `[${cut}]`);
  if (shown.some(({ findings = [] }) => findings.some(({ statements }) => statements !== undefined))) {
    lines.push("", forAPerson);
  }
  return lines.join("\n");
}

function headline(report: Report): string {
  const server = `${visible(report.database)} on PostgreSQL ${visible(report.server_version)}${
    report.standby ? " (standby)" : ""
  }`;
  const gaps = report.sections.filter(({ verdict, unseen }) =>
    unseen !== undefined || verdict === "unseen" || verdict === "unknown"
  )
    .map(({ name }) => name);
  const withoutData = report.sections.filter(({ verdict }) => verdict === "no_data").map(({ name }) => name);
  const verdict = {
    critical: "CRITICAL",
    warning: "WARNING",
    unknown: `UNKNOWN: ${nothingBad}`,
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
  const firsts = report.sections.flatMap(({ name, findings: [first] = [] }) =>
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
