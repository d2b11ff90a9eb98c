/** The sample database as a worker, for people to ask: its events are of the last days. Posts its port when it is ready. */
/// <reference lib="deno.worker" />
import { openTododb } from "./tododb.ts";

self.postMessage(await openTododb(new Date()));
