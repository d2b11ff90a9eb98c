/** Section `settings`: the few that endanger data, or blind the server to itself. */
import { readSettings } from "./change.ts";
import type { Assessment, Finding, Section } from "./section.ts";

/** A setting, the value that is wrong, and what follows from it. */
const WRONG: readonly (readonly [name: string, value: string, verdict: Finding["verdict"], why: string])[] = [
  ["fsync", "off", "critical", "a crash of the machine can destroy the database"],
  ["full_page_writes", "off", "critical", "a crash in the middle of a write can leave damaged pages"],
  ["zero_damaged_pages", "on", "critical", "damaged pages are silently emptied"],
  ["ignore_checksum_failure", "on", "critical", "damaged pages are read as if they were whole"],
  ["autovacuum", "off", "warning", "dead rows pile up and planner statistics grow old"],
  ["track_counts", "off", "warning", "autovacuum does nothing, and most statistics do not count"],
  ["track_activities", "off", "warning", "nobody sees what sessions do"],
];

/** The values of this session, which a role's or a database's own settings can change. */
export const settings: Section = {
  name: "settings",
  async assess(ask): Promise<Assessment> {
    const found = await ask((transaction) => readSettings(transaction, WRONG.map(([name]) => name)));
    const findings = WRONG.flatMap(([name, value, verdict, why]): Finding[] => {
      const setting = found.get(name);
      if (setting?.value !== value) return [];
      const text = `${name} is ${value}: ${why}`;
      return [{ verdict, text, ...setting.to(value === "off" ? "on" : "off") }];
    });
    const pending = [...found].filter(([, { pendingRestart }]) => pendingRestart).map(([name]) => name);
    const missing = WRONG.filter(([name]) => !found.has(name)).map(([name]) => name);
    const waits = pending.length === 0
      ? ""
      : `; a restart is needed for ${pending.join(", ")} to take effect`;
    return {
      summary: `${
        findings.length === 0
          ? "none of the settings checked endangers data"
          : findings.map(({ text }) => text.split(":")[0]).join(", ")
      }${waits}`,
      findings,
      ...(missing.length === 0 ? {} : { unseen: missing.join(", ") }),
    };
  },
};
