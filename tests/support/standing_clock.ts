/** A Prometheus whose clock stands still: what a test laid down gets no older, however long the test takes. */
import { FakePrometheus, success } from "./fake_prometheus.ts";

/** Stands in front of the server at `url`, and says that it is `now`, in epoch seconds. */
export function standingClock(url: string, now: number): FakePrometheus {
  return new FakePrometheus({
    async play({ method, path, parameters }) {
      if (parameters.get("query") === "time()") {
        return success({ resultType: "scalar", result: [now, String(now)] });
      }
      return method === "GET"
        ? await fetch(`${url}${path}?${parameters}`)
        : await fetch(`${url}${path}`, { method, body: parameters });
    },
  });
}
