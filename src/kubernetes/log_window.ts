/** Reads the end of a container's log, bounded in lines and in bytes. */
import { utf8Length } from "../common/utf8.ts";
import type { Cluster, LogOptions } from "./api.ts";
import { TooLargeError } from "./door.ts";
import { StatusError } from "./status_error.ts";

/** A line with its time, as the runtime wrote it down. */
export interface LogLine {
  /** Seconds since 1970 and nanoseconds; undefined where the line has no time. */
  readonly seconds: number | undefined;
  readonly nanos: number;
  /** The time as it was written. */
  readonly stamp: string;
  readonly text: string;
}

/** The end of a log. */
export interface LogWindow {
  readonly lines: readonly LogLine[];
  /** Bytes read, times included. */
  readonly bytes: number;
  /** There is nothing before these lines. */
  readonly whole: boolean;
  /** The last lines were too large to be read to their end. */
  readonly cut: boolean;
  /** Why there is no log, in the apiserver's words. */
  readonly refused: string | undefined;
}

/** How much of a log is read. */
export interface WindowOptions {
  /** Lines from the end. */
  readonly lines: number;
  readonly bytes: number;
  /** `container`, `previous`, `sinceSeconds`, `sinceTime` and the signal. */
  readonly options: LogOptions;
}

const attempts = 4;
const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)(?: |$)/;
const DROPPED = /… \((\d{1,12}) more characters\)$/;

/**
 * The last lines that fit in a number of bytes. The apiserver limits bytes from the first line on, so that a log with
 * longer lines is asked for again with fewer of them.
 */
export async function readWindow(
  cluster: Cluster,
  namespace: string,
  pod: string,
  { lines: wanted, bytes: most, options }: WindowOptions,
): Promise<LogWindow> {
  let asked = wanted;
  for (let attempt = 1;; attempt++) {
    const lines: LogLine[] = [];
    let bytes = 0;
    try {
      const query = {
        ...options,
        tailLines: asked,
        limitBytes: most,
        timestamps: true,
        maxBytes: most + 65_536,
      };
      for await (const line of cluster.logs(namespace, pod, query)) {
        bytes += utf8Length(line) + 1 + Number(DROPPED.exec(line.slice(-64))?.[1] ?? 0);
        lines.push(readLogLine(line));
      }
    } catch (error) {
      if (error instanceof TooLargeError) bytes = Math.max(bytes, most);
      // Not started, no previous run: the state of the container says the rest.
      else if (error instanceof StatusError && error.code === 400) {
        return { lines: [], bytes: 0, whole: true, cut: false, refused: error.status.message };
      } else throw error;
    }
    const cut = bytes >= most;
    if (!cut || attempt === attempts || lines.length <= 1) {
      return { lines, bytes, whole: lines.length < asked && !cut, cut, refused: undefined };
    }
    asked = Math.max(1, Math.floor(lines.length * (attempt === attempts - 1 ? 0.3 : 0.8)));
  }
}

/** A line with the kubelet's time before it. */
export function readLogLine(line: string): LogLine {
  const match = STAMP.exec(line.slice(0, 48));
  if (match === null) return { seconds: undefined, nanos: 0, stamp: "", text: line };
  const [stamp, moment = "", fraction = "", zone = ""] = match;
  return {
    seconds: Date.parse(moment + zone) / 1000,
    nanos: Number(fraction.padEnd(9, "0")),
    stamp: stamp.trimEnd(),
    text: line.slice(stamp.length),
  };
}

/** Orders by time; a line without one stays where it is. */
export function byTime(a: LogLine, b: LogLine): number {
  if (a.seconds === undefined || b.seconds === undefined) return 0;
  return a.seconds - b.seconds || a.nanos - b.nanos;
}
