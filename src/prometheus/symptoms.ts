/** What is known of a service at one moment. */
import { CallError } from "../common/errors.ts";
import { type Asking, beside, type LeftOut } from "./asking.ts";
import { readDayBefore, readIdle } from "./day_before.ts";
import { type Episodes, readEpisodes } from "./episode.ts";
import { readMissedErrors } from "./error_places.ts";
import { readFailingRoute } from "./failing_routes.ts";
import { type Instances, readInstances } from "./instances.ts";
import { readLatency } from "./latency.ts";
import { judgedQuantile, type LatencySymptoms } from "./latency_verdict.ts";
import { type FailingProbes, readFailingProbes } from "./probes.ts";
import { type RequestSymptoms, trafficIsLost } from "./request_verdict.ts";
import { readRequests, type RequestRates } from "./requests.ts";
import { fitWindow } from "./scrapes.ts";
import type { Service } from "./service.ts";
import { readServiceAlerts, type ServiceAlerts } from "./service_alerts.ts";
import { readSlowRoute } from "./slow_route.ts";
import { readVanished, type VanishedCounter } from "./vanished.ts";

/** What was asked; undefined where asking failed, which `failures` then tells. */
export interface Symptoms extends RequestSymptoms, LatencySymptoms {
  readonly service: Service;
  /** When it was asked, epoch seconds. */
  readonly time: number;
  /** Seconds of the windows of rates. */
  readonly window: number;
  readonly instances: Instances | undefined;
  /** Counters of requests that had samples lately, and have none now. */
  readonly vanished: readonly VanishedCounter[] | undefined;
  readonly alerts: ServiceAlerts | undefined;
  /** Probes from outside that fail. */
  readonly probes?: FailingProbes | undefined;
  /** When errors and latency that speak against it began. */
  readonly episodes: Episodes;
  /** Sentences without a full stop. */
  readonly failures: readonly string[];
  /** What was to be looked at beside these. */
  readonly leftOut: readonly LeftOut[];
  /** What Prometheus warned of: then something may be missing. */
  readonly warnings: readonly string[];
  /** What else it said. */
  readonly infos: readonly string[];
}

/** Seconds of a window unless another is asked for, and of the longest in which slow routes are looked for. */
const usualWindow = 300;
const longestByRoute = 3_600;

/** How far back is looked, and which quantiles of latency are read, {@linkcode judgedQuantile} first. */
export interface SymptomOptions {
  /** Seconds. */
  readonly window: number;
  readonly quantiles: readonly number[];
}

/** Asks for all of it; what can't be asked is told, and the rest is asked nevertheless. */
export async function readSymptoms(
  asking: Asking,
  service: Service,
  { window: wanted, quantiles }: SymptomOptions = { window: usualWindow, quantiles: [judgedQuantile] },
): Promise<Symptoms> {
  const failures: string[] = [];
  const attempt = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      failures.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const alertsRead = attempt("alerts", () => readServiceAlerts(asking, service));
  // Where the call is given up before it is awaited, nobody else hears of it.
  alertsRead.catch(() => {});
  const instances = service.metrics.has("up")
    ? await attempt("instances", () => readInstances(asking, service))
    : undefined;
  const { window } = fitWindow(wanted, instances?.interval);
  const lately = fitWindow(Math.min(wanted, usualWindow), instances?.interval).window;
  const readCounted = async () => {
    const requests = await attempt("requests", () => readRequests(asking, service, window));
    const rates = requests?.rates;
    const [missed, failingRoute] = await Promise.all([
      rates && attempt("errors", () => readMissedErrors(asking, rates)),
      readRoute(rates, false),
    ]);
    return { requests, missed, failingRoute };
  };
  const readRoute = (rates: RequestRates | undefined, isLate: boolean) =>
    rates === undefined || rates.errorsPerSecond === 0
      ? undefined
      : beside(asking, "failing routes", (asking) => readFailingRoute(asking, rates, { isLate }));
  const [counted, recent, dayBefore, latency, recentLatency, vanished, alerts, probes] = await Promise.all([
    readCounted(),
    lately >= window ? undefined : attempt("requests lately", () => readRequests(asking, service, lately)),
    attempt("requests a day before", () => readDayBefore(asking, service, window)),
    attempt("latency", () => readLatency(asking, service, quantiles, window)),
    lately >= window
      ? undefined
      : attempt("latency lately", () => readLatency(asking, service, [judgedQuantile], lately)),
    attempt(
      "requests before",
      () => readVanished(asking, service, { window, interval: instances?.interval }),
    ),
    alertsRead,
    beside(asking, "probes from outside", (asking) => readFailingProbes(asking, service)),
  ]);
  const spoken = {
    ...counted,
    recent: recent && { window: lately, requests: recent },
    dayBefore,
    latency: latency?.latency,
    recentLatency: recentLatency?.latency,
  };
  const interval = instances?.interval;
  const usual = dayBefore?.rates;
  const isLost = usual !== undefined &&
    trafficIsLost(counted.requests?.rates?.requestsPerSecond ?? 0, usual.requestsPerSecond);
  // Of a long window it would cost too much.
  const isLate = window > longestByRoute;
  const measured = isLate ? recentLatency?.latency : latency?.latency;
  const sinceWhen = (of: typeof spoken & Pick<Symptoms, "slowRoute">, looked = window) =>
    beside(
      asking,
      "since when it is so",
      (asking) => readEpisodes(asking, service, of, { window: looked, interval }),
    );
  const [lateRoute, slowRoute, episodes, idle] = await Promise.all([
    counted.failingRoute === undefined ? readRoute(recent?.rates, true) : undefined,
    measured &&
    beside(asking, "slow routes", (asking) => readSlowRoute(asking, service, measured, { isLate })),
    sinceWhen(spoken),
    isLost ? beside(asking, "how often it has no traffic", (asking) => readIdle(asking, usual)) : undefined,
  ]);
  const failingRoute = counted.failingRoute ?? lateRoute;
  // Asked for once there is such a route.
  const ofRoutes = lateRoute === undefined && slowRoute === undefined
    ? undefined
    : await sinceWhen({ ...spoken, failingRoute, slowRoute }, Math.min(window, longestByRoute));
  return {
    service,
    time: asking.time,
    window,
    instances,
    ...spoken,
    failingRoute,
    slowRoute,
    idle,
    vanished,
    alerts,
    probes,
    episodes: {
      errors: episodes?.errors ?? ofRoutes?.errors,
      latency: episodes?.latency ?? ofRoutes?.latency,
    },
    failures,
    leftOut: [...asking.leftOut],
    ...asking.heard(),
  };
}
