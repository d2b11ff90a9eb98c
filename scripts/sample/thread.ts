/** The sample database as a worker: posts its port when it is ready. */
/// <reference lib="deno.worker" />
import { openTododb } from "./tododb.ts";

self.postMessage(await openTododb());
