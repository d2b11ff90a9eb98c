/** Since when the statistics of the database count, in words. */
import { duration } from "../../common/units.ts";
import type { ServerFacts } from "./section.ts";

/** `counted for 3 d 2 h`, or that the counters were never reset, whose beginning PostgreSQL does not keep. */
export function countedSince({ statisticsAge }: ServerFacts): string {
  return statisticsAge === null
    ? "counted since the database was made, or the last crash"
    : `counted for ${duration(statisticsAge)}`;
}
