/** `--check`: what is at PROMETHEUS_URL, and as whom it is asked. */
import { checkHint } from "../common/check_hint.ts";
import type { CheckResult } from "../common/check_result.ts";
import { CallError } from "../common/errors.ts";
import { ended } from "../common/sentence.ts";
import { count, plural } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import type { PrometheusSettings } from "./settings.ts";
import { readBuild, unreachedStores } from "./stores.ts";
import { tellable } from "./told.ts";

const checkMs = 15_000;

/** Connects and reports; `down` where no query is answered. */
export async function checkPrometheus(
  api: PrometheusApi,
  settings: PrometheusSettings,
  say: (line: string) => void,
): Promise<CheckResult> {
  const { url, credentials } = settings;
  const signal = AbortSignal.timeout(checkMs);
  const options = { signal };
  let isWanting = false;
  /** What is good to know, and not there with every backend. */
  const optional = async <T>(read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (error instanceof CallError) return undefined;
      throw error;
    }
  };
  try {
    // The one call without which nothing works.
    const { series: [up], warnings } = await api.query("count(up)", undefined, options);
    const [build, runtime, targets, unreached] = await Promise.all([
      optional(() => readBuild(api, options)),
      optional(() => api.runtimeInfo(options)),
      optional(() => api.targets("active", options)),
      unreachedStores(api, options),
    ]);
    const name = build?.application ?? "Prometheus";
    const version = build === undefined || build.version === "" ? "of an unknown version" : build.version;
    const tls = url.protocol === "https:" ? "over TLS" : "without TLS";
    say(`Connected to ${url.host}, ${visible(name)} ${visible(version)}, ${tls}.`);
    say(
      credentials.variables.length === 0
        ? "No credentials are set, and none are required."
        : `The credentials of ${credentials.variables.join(", ")} were accepted, or not checked.`,
    );
    if (credentials.variables.length > 0 && url.protocol === "http:" && !isLoopback(url.hostname)) {
      say("They are sent unencrypted: use https if anybody could listen in.");
      isWanting = true;
    }
    for (const text of [...unreached, ...tellable(warnings, 4_000)]) {
      say(ended(visible(text)));
      isWanting = true;
    }
    if (targets === undefined) {
      say("This backend does not report its targets: list_targets shows what the metric up says.");
    } else {
      const down = targets.active.filter(({ health }) => health === "down").length;
      const well = targets.active.filter(({ health }) => health === "up").length;
      say(`It scrapes ${plural(targets.active.length, "target")}: ${count(well)} up, ${count(down)} down.`);
    }
    if (up === undefined) {
      say("No series named up has a sample now: is this the right server, and the right tenant?");
      isWanting = true;
    }
    if (runtime !== undefined && runtime.storageRetention !== "") {
      say(`It keeps samples for ${visible(runtime.storageRetention)}.`);
    }
    if (runtime?.reloadConfigSuccess === false) {
      say("Its last configuration reload failed.");
      isWanting = true;
    }
    say("prometheus-mcp is read-only: it contains no call that writes, reloads or deletes.");
    return isWanting ? "wanting" : "well";
  } catch (error) {
    if (signal.aborted) {
      say(`Not connected to ${url.host}: there was no answer within ${checkMs / 1000} s.`);
      return "down";
    }
    if (!(error instanceof CallError)) throw error;
    say(ended(`Not connected: ${error.message}`));
    const hint = checkHint(error);
    if (hint !== undefined) say(hint);
    return "down";
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\./.test(host);
}
