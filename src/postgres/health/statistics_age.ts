/** Since when the statistics of the database count, in words. */
import { duration } from "../../common/units.ts";
import type { ServerFacts } from "./section.ts";

/** `counted for 3 d 2 h`; of counters that were never reset PostgreSQL keeps no beginning, but the server's. */
export function countedSince({ statisticsAge, serverStatisticsAge }: ServerFacts): string {
  if (statisticsAge !== null) return `counted for ${duration(statisticsAge)}`;
  return serverStatisticsAge === null
    ? "counted since the database was created, or the last crash"
    : `counted since the database was created, for ${duration(serverStatisticsAge)} at most`;
}
