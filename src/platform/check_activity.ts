/** `--check` of the table of recent activity. */
import { CallError } from "../common/errors.ts";
import { ended } from "../common/sentence.ts";
import { visible } from "../common/visible.ts";
import type { Database } from "../postgres/database.ts";
import { type EventsTable, readActivity } from "./activity.ts";

/** Milliseconds. */
const checkMs = 15_000;

/** Asks the table as a report does; false where DB_EVENTS names one that can't be asked. The default may be missing. */
export async function checkActivity(
  database: Database,
  events: EventsTable,
  say: (line: string) => void,
): Promise<boolean> {
  try {
    const activity = await readActivity(database, events, "", 60, AbortSignal.timeout(checkMs));
    if (!("why" in activity)) {
      say(`Recent activity of a service is read from ${visible(activity.table)}.`);
      return true;
    }
    say(`Recent activity of a service can't be read: ${visible(activity.why).replace(/;$/, "")}.`);
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    say(ended(`Recent activity of a service can't be read: ${error.message}`));
  }
  return !events.isNamed;
}
