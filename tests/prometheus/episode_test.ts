/** When errors and slowness began and ended, of series that were made to change at known times. */
import assert from "@std/assert";
import { checkServiceHealth } from "../../src/prometheus/check_service_health.ts";
import { lastEpisode } from "../../src/prometheus/episode.ts";
import { FakePrometheus, faults, type Play } from "../support/fake_prometheus.ts";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics, type Span } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { openApi } from "../support/service_tools.ts";
import { standingClock } from "../support/standing_clock.ts";
import { callTool } from "../support/tools.ts";

const minute = 60;
const hour = 60 * minute;

/** Moments a minute apart; a dot is a good one, `x` a bad one, a blank one without a figure. */
function episode(course: string, over = minute) {
  const moments = [...course].map((sign, index) => ({
    time: index * minute,
    value: sign === " " ? NaN : sign === "x" ? 0.5 : 0.01,
  }));
  return lastEpisode(moments, 0.25, over);
}

Deno.test("the last episode of a course", async (t) => {
  await t.step("it goes on, and has begun before the moment that shows it", () => {
    const expected = { began: 4 * minute, ended: undefined, times: 1, looked: 9 * minute };
    assert.deepEqual(episode(".....xxxxx"), expected);
    assert.deepEqual(episode(".....xxxxx", 3 * minute), { ...expected, began: 3 * minute });
  });
  await t.step("it is over once three moments are good", () => {
    assert.equal(episode("...xxx..")?.ended, undefined);
    assert.deepEqual(episode("...xxx..."), { began: 2 * minute, ended: 5 * minute, times: 1, looked: 480 });
  });
  await t.step("short pauses do not part it, nor moments without a figure", () => {
    assert.equal(episode("...x..x  xx")?.times, 1);
    assert.equal(episode("...x...xxxx")?.times, 2);
  });
  await t.step("nobody knows when it began that was so from the first figure on", () => {
    const expected = { began: undefined, ended: undefined, times: 1, looked: 4 * minute };
    assert.deepEqual(episode("xxxxx"), expected);
    assert.deepEqual(episode("     xxxxx"), expected);
  });
  await t.step("nothing is told of what was never bad, or where the last figures are missing", () => {
    for (const course of ["", ".", "......", "..xx   ", "       "]) assert.equal(episode(course), undefined);
  });
});

/** All but `seldom` and `rare` have ten requests a second, and fail at the times that `fails` is true of, by minutes before now. */
const failing: Readonly<Record<string, (ago: number) => boolean>> = {
  broke: (ago) => ago <= 12,
  mended: (ago) => ago <= 12 && ago > 7,
  bursts: (ago) => [[50, 47], [30, 27], [10, 7]].some(([from = 0, to = 0]) => ago <= from && ago > to),
  ever: () => true,
  young: () => true,
  seldom: (ago) => ago <= 12,
  rare: (ago) => ago <= 12,
  sparse: (ago) => ago <= 12,
  upless: (ago) => ago <= 12,
};
/** Jobs that are scraped once a minute. */
const byMinute = ["sparse", "upless"];

function series(now: number): OpenMetrics {
  const all = new OpenMetrics();
  for (const [job, fails] of Object.entries(failing)) {
    const from = now - (job === "young" ? 10 * minute : 2 * hour);
    const span: Span = { from, to: now + 1_200, step: byMinute.includes(job) ? minute : 15 };
    const perSecond = job === "rare" ? 0.005 : job === "seldom" ? 0.1 : 10;
    if (job !== "upless") all.gauge("up", { job }, span, 1);
    all.counter("http_requests_total", { job, status: "200" }, span, perSecond);
    let errors = 0;
    all.gauge("http_requests_total", { job, status: "500" }, span, (time) => {
      if (fails((now - time) / minute)) errors += perSecond * span.step;
      return errors;
    });
  }
  return all;
}

Deno.test({
  name: "when the errors of a service began, and whether they are over",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    await using server = await startPrometheus({ backfill: series(now).lines });
    await using standing = standingClock(server.url, now);
    const api = openApi(standing.url);
    const report = metricsReporter(api);
    /** `12:41Z` of minutes before now, a minute more or less. */
    const about = (ago: number) =>
      `(${
        [-1, 0, 1].map((off) => new Date((now - (ago + off) * minute) * 1000).toISOString().slice(11, 16))
          .join("|")
      })Z`;
    const ago = (minutes: number) => `\\((${[-1, 0, 1, 2].map((off) => minutes + off).join("|")})m ago\\)`;
    const matches = async (service: string, clause: string) => {
      assert.match(await report(service), new RegExp(`^1\\. .*; ${clause}$`, "m"));
    };
    try {
      await t.step("they go on", async () => {
        await matches("broke", `since about ${about(12)} ${ago(12)}`);
        const { text } = await callTool(checkServiceHealth(api), { service: "broke" });
        assert.match(text, new RegExp(`^- .* fail .*; since about ${about(12)} ${ago(12)}$`, "m"));
      });
      for (const job of byMinute) {
        await t.step(
          `of scrapes that come every minute: ${job}`,
          () => matches(job, `since about ${about(12)} ${ago(12)}`),
        );
      }
      await t.step(
        "they are over",
        () => matches("mended", `from about ${about(12)} until about ${about(7)} ${ago(7)}, not since`),
      );
      await t.step("they come and go", () =>
        matches(
          "bursts",
          `from about ${about(10)} until about ${about(7)} ${ago(7)}, not since, 3 times in 1h`,
        ));
      await t.step("they were there before anybody looked", async () => {
        await matches("ever", "for all of the last 1h");
        await matches("young", "for all of the last (9|10|11)m");
      });
      await t.step(
        "few requests tell it less exactly",
        () => matches("seldom", `since about ${about(12)} ${ago(12)}`),
      );
      await t.step("a Prometheus that takes long over it does not hold the rest up", async () => {
        const play: Play = async (request) => {
          if (request.path.endsWith("query_range")) return await faults.slow();
          const body = new URLSearchParams(request.parameters);
          return await fetch(`${standing.url}${request.path}`, { method: "POST", body });
        };
        await using fake = new FakePrometheus({ play });
        const slow = openApi(fake.url);
        assert.match(await metricsReporter(slow)("broke"), /^1\. .*% of requests fail .*a day before$/m);
        slow.close();
      });
      await t.step("too few requests to tell", async () => {
        assert.match(await report("rare"), /^1\. \d\d(\.\d)?% of requests fail .*a day before$/m);
      });
    } finally {
      api.close();
    }
  },
});
