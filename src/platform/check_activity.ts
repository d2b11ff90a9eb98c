/** `--check` of the table of recent activity. */
import type { CheckResult } from "../common/check_result.ts";
import { CallError } from "../common/errors.ts";
import { ended } from "../common/sentence.ts";
import { visible } from "../common/visible.ts";
import type { Database } from "../postgres/database.ts";
import { type EventsTable, readActivity } from "./activity.ts";

/** Milliseconds. */
const checkMs = 15_000;

/** Asks the table as a report does; `down` where DB_EVENTS names one that can't be asked. The default may be missing. */
export async function checkActivity(
  database: Database,
  events: EventsTable,
  say: (line: string) => void,
): Promise<CheckResult> {
  try {
    const activity = await readActivity(database, events, "", 60, AbortSignal.timeout(checkMs));
    if (!("why" in activity)) {
      say(`Recent activity of a service is read from ${visible(activity.table)}.`);
      return "well";
    }
    say(`Recent activity of a service can't be read: ${visible(activity.why).replace(/;$/, "")}.`);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    say(ended(`Recent activity of a service can't be read: ${error.message}`));
  }
  return events.isNamed ? "down" : "well";
}
